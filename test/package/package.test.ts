import { readdirSync } from 'node:fs'
import { posix } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Consumer, createConsumer, root } from './consumer.js'

let consumer: Consumer
beforeAll(async () => {
  consumer = await createConsumer()
}, 60_000)
afterAll(() => consumer.remove())

const EXPORTS = {
  'weavy-token': ['TokenError', 'connectWeavy', 'createAuthorizedFetch', 'createTokenSource', 'isTokenError'],
  'weavy-token/broker': ['TokenError', 'createTokenBroker', 'isTokenError', 'toUid'],
  'weavy-token/testing': ['createTestTokenSource', 'tokenHandlers'],
  'weavy-token/tabs': ['acrossTabs'],
  'weavy-token/react': ['WeavyTokenProvider', 'useWeavyConnection', 'useWeavyToken'],
}
const IMPORT = ['--input-type=module', '-e']
const REQUIRE = ['--input-type=commonjs', '-e']

const read = (file: string) => consumer.read(`node_modules/weavy-token/${file}`)
const manifest = async () => JSON.parse(await read('package.json'))

/** What is of use only beside the source. */
const REPOSITORY_ONLY = ['CONTRIBUTING.md', 'docs/failure-catalogue.md']

test('holds the built files, a folder for each entry and the documents, nothing else', async () => {
  const { exports, bin } = await manifest()
  const entries = Object.keys(exports).filter((path) => path !== './package.json')
  const built = entries.flatMap((path) => {
    const { types, default: code } = exports[path]
    return [types, code, `${code}.map`, ...(path === '.' ? [] : [`${path}/package.json`])]
  })
  const documents = [
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'],
    ...readdirSync(`${root}docs`)
      .filter((name) => name !== 'api' && !REPOSITORY_ONLY.includes(`docs/${name}`))
      .map((name) => `docs/${name}`),
  ]
  // What the core and the tabs share.
  built.push('dist/shared.js', 'dist/shared.js.map')
  const commands = Object.values<string>(bin).flatMap((file) => [file, `${file}.map`])
  const expected = [...documents, ...[...built, ...commands].map((file) => file.replace('./', ''))]
  // Types that several entries share.
  const files = consumer.files.filter((file) => !/^dist\/[\w-]+-\w{8}\.d\.ts$/.test(file))
  expect(files.sort()).toEqual(expected.sort())
})

test('has every file that a document of it links to', async () => {
  const documents = consumer.files.filter((file) => file.endsWith('.md'))
  expect(documents.length).toBeGreaterThan(5)
  for (const document of documents)
    for (const [, target = ''] of (await read(document)).matchAll(/\]\((?!\w+:|#)([^)#]+)/g))
      expect(consumer.files, `${document} links to ${target}`).toContain(
        posix.join(posix.dirname(document), target),
      )
})

test('has no run-time dependency but that of the broker', async () => {
  const { dependencies, exports } = await manifest()
  expect(Object.keys(dependencies)).toEqual(['lru-cache'])
  for (const [path, { default: file }] of Object.entries<{ default?: string }>(exports)) {
    if (!file || path === './broker') continue
    const code = await read(file)
    const imports = [...code.matchAll(/^(?:import|export) .*from ["']([^"']+)["']/gm)].map(([, name]) => name)
    expect(
      imports.filter(
        (name) => !['react', 'react/jsx-runtime', 'weavy-token', './shared.js'].includes(name ?? ''),
      ),
    ).toEqual([])
    // There is no `process` without a bundler.
    expect(code).not.toContain('process.env')
  }
})

describe('without React', () => {
  test('has no React to find', async () => {
    await expect(consumer.node(...IMPORT, 'await import("react")')).rejects.toThrow(/ERR_MODULE_NOT_FOUND/)
  })

  test.each(['weavy-token', 'weavy-token/broker', 'weavy-token/testing', 'weavy-token/tabs'] as const)(
    '%s can be imported and required',
    async (entry) => {
      const expected = `${EXPORTS[entry].join()}\n`
      const imported = `console.log(Object.keys(await import('${entry}')).sort().join())`
      expect(await consumer.node(...IMPORT, imported)).toBe(expected)
      const required = `console.log(Object.keys(require('${entry}')).sort().join())`
      expect(await consumer.node(...REQUIRE, required)).toBe(expected)
    },
  )

  test('a required source and a required broker do their work, and let the process end', async () => {
    const program = `
      const { createTokenSource } = require('weavy-token')
      const { createTokenBroker, toUid } = require('weavy-token/broker')
      const weavy = async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 })
      const broker = createTokenBroker({
        weavyUrl: 'https://weavy.example', apiKey: 'wys_1', user: () => ({ uid: toUid(1) }), fetch: weavy,
      })
      const fetch = (...args) => broker.fetch(new Request(...args))
      const source = createTokenSource({ tokenUrl: 'https://app.example/api/token', fetch })
      source.getToken().then((token) => console.log(token, source.getState().status))`
    expect(await consumer.node(...REQUIRE, program)).toBe('wyu_1 ready\n')
  })
})

describe('with React', () => {
  beforeAll(() => consumer.link('react', 'react-dom', 'scheduler', '@types/react', 'csstype'))

  test('weavy-token/react can be imported and required', async () => {
    const expected = `${EXPORTS['weavy-token/react'].join()}\n`
    const imported = "console.log(Object.keys(await import('weavy-token/react')).sort().join())"
    expect(await consumer.node(...IMPORT, imported)).toBe(expected)
    const required = "console.log(Object.keys(require('weavy-token/react')).sort().join())"
    expect(await consumer.node(...REQUIRE, required)).toBe(expected)
  })

  test('renders on a server with a source of weavy-token, which is the same copy', async () => {
    const program = `
      import { createElement } from 'react'
      import { renderToString } from 'react-dom/server'
      import { createTokenSource } from 'weavy-token'
      import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
      const source = createTokenSource({ tokenUrl: '/api/token' })
      const Status = () => String(useWeavyToken().source === source)
      console.log(renderToString(createElement(WeavyTokenProvider, { source }, createElement(Status))))`
    expect(await consumer.node(...IMPORT, program)).toBe('true\n')
  })

  test("says 'use client' first, and keeps core an import", async () => {
    const code = await consumer.read('node_modules/weavy-token/dist/react.js')
    expect(code).toMatch(/^["']use client["'];?\n/)
    expect(code).toMatch(/from ["']weavy-token["']/)
    expect(code).not.toContain('class TokenError')
  })

  const USE = `
    import { connectWeavy, createAuthorizedFetch, createTokenSource, TokenError, type TokenState } from 'weavy-token'
    import { createTokenBroker, toUid, type TokenBroker } from 'weavy-token/broker'
    import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
    const source = createTokenSource({ tokenUrl: '/api/token', timeoutMs: undefined })
    export const state: TokenState = source.getState()
    if (state.status === 'ready') console.log(state.expiresAt, state.token.length)
    // @ts-expect-error a token is there only while the status says so
    console.log(state.token)
    export const broker: TokenBroker = createTokenBroker({
      weavyUrl: undefined, apiKey: undefined, user: async () => ({ uid: toUid(7n) }),
    })
    export const use = [connectWeavy, createAuthorizedFetch, useWeavyConnection, useWeavyToken, WeavyTokenProvider]
    export const isTokenError = (error: unknown) => error instanceof TokenError && error.code === 'rejected'
    source[Symbol.dispose]()`

  const GLOBAL = `
    import 'weavy-token/weavy-token.global.js'
    const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
    export const same: import('weavy-token').TokenSource = source
    export const isSame: boolean = globalThis.WeavyToken === WeavyToken
    // @ts-expect-error the runtime need not have it, so no type says that it does
    new DisposableStack()`

  // The app's own `lib` has no Symbol.dispose, and every declaration file is checked.
  const modes = [
    ['ESNext', 'bundler'],
    ['NodeNext', 'nodenext'],
    ['CommonJS', 'node10'],
  ] as const
  test.each(modes)(
    'a strict app compiles under module %s, moduleResolution %s, skipLibCheck off',
    async (module, moduleResolution) => {
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'ES2022',
        lib: ['ES2022', 'DOM', 'DOM.Iterable'],
        types: [],
        module,
        moduleResolution,
        ...(moduleResolution === 'node10' && { ignoreDeprecations: '6.0' }),
      }
      await consumer.write('app.ts', USE)
      await consumer.write('page.ts', GLOBAL)
      await consumer.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['app.ts', 'page.ts'] }))
      const tsc = `${root}node_modules/typescript/bin/tsc`
      expect(await consumer.node(tsc, '-p', '.')).toBe('')
    },
    60_000,
  )
})

describe('source maps', () => {
  test.each(['index', 'shared', 'tabs', 'react', 'broker', 'weavy-token.global'])(
    '%s.js carries its sources',
    async (name) => {
      const code = await consumer.read(`node_modules/weavy-token/dist/${name}.js`)
      expect(code).toContain(`//# sourceMappingURL=${name}.js.map`)
      const map = JSON.parse(await consumer.read(`node_modules/weavy-token/dist/${name}.js.map`))
      expect(map.sources.some((source: string) => source.startsWith('../src/'))).toBe(true)
      expect(map.sourcesContent).toHaveLength(map.sources.length)
      for (const text of map.sourcesContent) expect(text).toEqual(expect.any(String))
      // Paths of the machine that built it are nobody's business.
      expect(JSON.stringify(map.sources)).not.toContain(root)
      expect(map.sources.filter((source: string) => source.startsWith('/'))).toEqual([])
    },
  )

  test('lead from a stack to the line of the source', async () => {
    const program =
      "import { createTokenSource } from 'weavy-token'; try { createTokenSource({}) } catch (e) { console.log(e.stack) }"
    const stack = await consumer.node('--enable-source-maps', ...IMPORT, program)
    const [, file, line] = /src\/([\w-]+\.ts):(\d+)/.exec(stack) ?? []
    const maps = await Promise.all(
      ['index', 'shared'].map((name) => consumer.read(`node_modules/weavy-token/dist/${name}.js.map`)),
    )
    const texts = maps
      .map((text) => JSON.parse(text))
      .map(({ sources, sourcesContent }) => sourcesContent[sources.indexOf(`../src/${file}`)])
    const lines = texts.find(Boolean)?.split('\n') ?? []
    expect(lines[Number(line) - 1]).toContain('throw new TypeError')
  })
})
