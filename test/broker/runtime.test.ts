import { createContext, Script } from 'node:vm'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'

/** What a runtime of the Workers kind has in common with every other. */
const web = {
  AbortController,
  crypto,
  fetch: async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 }),
  Headers,
  performance,
  queueMicrotask,
  Request,
  Response,
  clearTimeout,
  setTimeout,
  TextDecoder,
  TextEncoder,
  URL,
}

describe('a runtime without Node', () => {
  let code = ''
  let imports: string[] = []

  beforeAll(async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: ['src/broker/index.ts'],
      bundle: true,
      write: false,
      metafile: true,
      format: 'iife',
      globalName: 'entry',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['workerd', 'worker', 'browser'],
    })
    code = outputFiles[0]?.text ?? ''
    imports = Object.keys(metafile.inputs)
  })

  test('is enough for the broker', async () => {
    const context = createContext({ ...web })
    new Script(`${code}; globalThis.entry = entry`).runInContext(context)
    const { createTokenBroker, toUid } = context.entry
    const broker = createTokenBroker({
      weavyUrl: 'https://acme.weavy.test',
      apiKey: 'wys_key',
      syncProfile: true,
      user: () => ({ uid: toUid(1), name: 'Ada' }),
    })
    for (const query of ['', '?refresh=true']) {
      const response = await broker.fetch(new Request(`https://app.example/api/token${query}`))
      expect(await response.json()).toEqual({
        access_token: 'wyu_1',
        expires_in: expect.any(Number),
        sub: expect.stringMatching(/^[\w-]{22}$/),
      })
    }
  })

  test('importing touches nothing', () => {
    const context = createContext({ performance })
    expect(() => new Script(code).runInContext(context)).not.toThrow()
  })

  test('the broker shares only errors and the wire with the rest of the package', () => {
    const own = imports.filter((path) => path.startsWith('src/') && !path.startsWith('src/broker/'))
    expect(own).toEqual(['src/errors.ts', 'src/wire.ts'])
    expect(imports.filter((path) => path.startsWith('node_modules/'))).toEqual([
      expect.stringMatching(/^node_modules\/lru-cache\//),
    ])
  })
})
