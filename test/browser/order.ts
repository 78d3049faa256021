import { commands } from 'vitest/browser'

declare module 'vitest/browser' {
  interface BrowserCommands {
    worldsUrl(): Promise<string>
  }
}

// A test may put another in its place.
const { fetch } = globalThis
let worldsUrl: Promise<string> | undefined

/** Goes to the worlds without the test runner, which may be busy for seconds while a test counts on its order. */
export async function order<T>(path: string, body: unknown): Promise<T> {
  worldsUrl ??= commands.worldsUrl()
  const response = await fetch((await worldsUrl) + path, { method: 'POST', body: JSON.stringify(body) })
  if (!response.ok) throw new Error(await response.text())
  return await response.json()
}
