// The pages that every bundler of the matrix builds, and what their output has to do.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createContext, runInContext } from 'node:vm'

const PAGES = {
  'page.js': `
    import 'weavy-token/weavy-token.global.js'
    import { createTokenSource } from 'weavy-token'
    const fetchToken = async () => ({ access_token: 'wyu_1', expires_in: 3600 })
    const tokenOf = (create) => create({ fetchToken }).getToken()
    globalThis.answer = Promise.all([tokenOf(createTokenSource), tokenOf(WeavyToken.createTokenSource)])`,
  'react.js': `
    import { createElement } from 'react'
    import { renderToString } from 'react-dom/server'
    import { createTokenSource } from 'weavy-token'
    import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
    const source = createTokenSource({ tokenUrl: 'https://app.example/api/token' })
    const Status = () => useWeavyToken().source === source ? useWeavyToken().status : 'another core'
    globalThis.answer = renderToString(createElement(WeavyTokenProvider, { source }, createElement(Status)))`,
}
const ANSWERS = { page: ['wyu_1', 'wyu_1'], react: 'empty' }

/** Writes the pages into src/. */
export function writePages() {
  mkdirSync('src', { recursive: true })
  for (const [name, code] of Object.entries(PAGES)) writeFileSync(`src/${name}`, code)
}

/** What a browser has and our pages use. No `process`: there is none in a browser. */
const browserGlobals = (channels) => {
  const { AbortController, AbortSignal, Headers, Request, Response, URL, TextEncoder, TextDecoder } =
    globalThis
  const { setTimeout, clearTimeout, queueMicrotask, performance, console, btoa, crypto } = globalThis
  return {
    ...{ AbortController, AbortSignal, Headers, Request, Response, URL, TextEncoder, TextDecoder },
    ...{ setTimeout, clearTimeout, queueMicrotask, performance, console, btoa, crypto },
    /** React holds one, and an open one keeps Node alive. */
    MessageChannel: class extends MessageChannel {
      constructor() {
        super()
        channels.push(this)
      }
    },
  }
}

/** Runs the built file of a page, as a classic script of a browser. */
export async function checkPage(page, file) {
  const channels = []
  const context = createContext(browserGlobals(channels))
  runInContext('globalThis.self = globalThis.window = globalThis', context)
  runInContext(readFileSync(file, 'utf8'), context, { filename: file })
  const answer = JSON.parse(JSON.stringify((await context.answer) ?? null))
  for (const { port1 } of channels) port1.close()
  assert.deepEqual(answer, ANSWERS[page], `${page} as ${file}`)
}
