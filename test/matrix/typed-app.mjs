// An app that uses every entry, for compilers and package managers that are strict about types.
import { mkdirSync, writeFileSync } from 'node:fs'

const FILES = {
  'src/app.ts': `
    import { connectWeavy, createAuthorizedFetch, createTokenSource, TokenError, type TokenState } from 'weavy-token'
    import { createTokenBroker, toUid, type TokenBroker } from 'weavy-token/broker'
    const source = createTokenSource({ tokenUrl: '/api/token', timeoutMs: undefined })
    export const state: TokenState = source.getState()
    if (state.status === 'ready') console.log(state.expiresAt, state.token.length)
    // @ts-expect-error a token is there only while the status says so
    console.log(state.token)
    export const broker: TokenBroker = createTokenBroker({
      weavyUrl: undefined, apiKey: undefined, user: async () => ({ uid: toUid(7) }),
    })
    export const use = [connectWeavy, createAuthorizedFetch]
    export const isRejected = (error: unknown) => error instanceof TokenError && error.code === 'rejected'
    source[Symbol.dispose]()
    // @ts-expect-error the runtime need not have it, so no type says that it does
    new DisposableStack()`,
  'src/page.ts': `
    import 'weavy-token/weavy-token.global.js'
    export const source: import('weavy-token').TokenSource = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })`,
  'src/chat.tsx': `
    import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
    const Status = () => {
      useWeavyConnection(undefined)
      return <p>{useWeavyToken().status}</p>
    }
    export const App = () => <WeavyTokenProvider tokenUrl="/api/token"><Status /></WeavyTokenProvider>
    // @ts-expect-error children are nodes of React, which are no symbols
    export const wrong = <WeavyTokenProvider tokenUrl="/api/token">{Symbol()}</WeavyTokenProvider>`,
}

/** Writes src/ and a strict tsconfig.json that checks every declaration file. */
export function writeTypedApp(module, moduleResolution, more = {}) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'ES2022',
    // No Symbol.dispose in it.
    lib: ['ES2022', 'DOM', 'DOM.Iterable'],
    types: [],
    jsx: 'react-jsx',
    module,
    moduleResolution,
    ...more,
  }
  mkdirSync('src', { recursive: true })
  for (const [name, text] of Object.entries(FILES)) writeFileSync(name, text)
  writeFileSync('tsconfig.json', JSON.stringify({ compilerOptions, files: Object.keys(FILES) }))
}
