import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { BrowserCommand } from 'vitest/node'

let started: Promise<string> | undefined

const startWorlds = () =>
  new Promise<string>((resolve, reject) => {
    const worlds = fork(fileURLToPath(new URL('./worlds.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx'],
    })
    worlds.once('message', resolve).once('error', reject)
    worlds.once('exit', (code) => reject(new Error(`The worlds ended with code ${code}.`)))
    worlds.unref()
    worlds.channel?.unref()
  })

/** Where pages order worlds. */
const worldsUrl: BrowserCommand<[]> = () => {
  started ??= startWorlds()
  return started
}

export const commands = { worldsUrl }
