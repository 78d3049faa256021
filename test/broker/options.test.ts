import { describe, expect, test, vi } from 'vitest'
import { createTokenBroker, type TokenBrokerOptions } from '../../src/broker/index.js'
import { createDeferred } from '../deferred.js'
import { settle } from '../settle.js'
import { ask, createTestBroker } from './ask.js'
import { createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

const valid: TokenBrokerOptions = { weavyUrl: 'https://acme.weavy.test', apiKey: 'wys_key', user: () => null }

function create(options: Record<string, unknown>) {
  return () => createTokenBroker({ ...valid, ...options } as TokenBrokerOptions)
}

describe('options are checked when the broker is created', () => {
  test.each([
    ['weavyUrl', undefined],
    ['weavyUrl', ''],
    ['weavyUrl', 'acme.weavy.test'],
    ['weavyUrl', 'http://acme.weavy.test'],
    ['weavyUrl', 'http://localhost.evil.example'],
    ['weavyUrl', 'ftp://localhost'],
    ['weavyUrl', 'https://user:secret@acme.weavy.test'],
    ['weavyUrl', 'https://acme.weavy.test/?key=secret'],
    ['weavyUrl', 'https://acme.weavy.test/#secret'],
    ['apiKey', undefined],
    ['apiKey', ''],
    ['apiKey', 'secret'],
    ['apiKey', 'wyu_secret'],
    ['apiKey', 'wys_secret\n'],
    ['apiKey', 'wys_secret secret'],
    ['apiKey', 'wys_sécret'],
    ['apiKey', 'my wys_secret'],
    ['apiKey', ['wys_secret']],
    ['apiKey', 42],
    ['user', undefined],
    ['user', { uid: 'u1' }],
    ['expiresIn', 0],
    ['expiresIn', -1],
    ['expiresIn', 1.5],
    ['expiresIn', Number.NaN],
    ['expiresIn', Number.POSITIVE_INFINITY],
    ['expiresIn', 31_536_001],
    ['expiresIn', '3600'],
    ['syncProfile', 'yes'],
    ['profileFields', 'email'],
    ['profileFields', [5]],
    ['profileFields', ['']],
    ['profileFields', ['uid']],
    ['profileFields', ['expires_in']],
    ['allowedOrigins', '*'],
    ['allowedOrigins', ['*']],
    ['allowedOrigins', ['null']],
    ['allowedOrigins', ['https://*.app.example']],
    ['allowedOrigins', ['https://app.example/']],
    ['allowedOrigins', ['https://app.example/path']],
    ['allowedOrigins', ['https://APP.example']],
    ['allowedOrigins', ['https://app.example:443']],
    ['allowedOrigins', ['https://user@app.example']],
    ['allowedOrigins', ['app.example']],
    ['allowedOrigins', ['http://APP.example']],
    ['allowedOrigins', ['my app://localhost']],
    ['allowedOrigins', ['capacitor://localhost/path']],
    ['allowedOrigins', [['capacitor://localhost']]],
    ['allowedOrigins', [undefined]],
    ['allowedOrigins', [/app/]],
    ['allowedOrigins', /app/],
    ['store', {}],
    ['store', null],
    ['store', { get() {}, set() {} }],
    ['fetch', 'fetch'],
    ['log', true],
    ['onEvent', 'event'],
  ])('%s: %j is a TypeError that names the option and does not quote it', (option, value) => {
    expect(create({ [option]: value })).toThrow(TypeError)
    expect(create({ [option]: value })).toThrow(new RegExp(`^${option} `))
    expect(create({ [option]: value })).not.toThrow(/secret/)
  })

  test.each([
    [{ weavyUrl: undefined }, /^weavyUrl is missing: give the URL/],
    [{ apiKey: '' }, /^apiKey is missing: give an API key/],
    [{ profileFields: ['sub'] }, /without uid, sub, expires_in$/],
  ])('%j: the message says what to give', (options, message) => {
    expect(create(options)).toThrow(message)
  })

  test.each([
    { weavyUrl: 'http://localhost:7000' },
    { weavyUrl: 'http://weavy.localhost' },
    { weavyUrl: 'http://127.0.0.1:7000' },
    { weavyUrl: 'http://[::1]:7000' },
    { weavyUrl: new URL('https://app.example/weavy/') },
    { profileFields: ['is_bot'] },
    { expiresIn: 1 },
    { expiresIn: 31_536_000 },
    { allowedOrigins: ['https://app.example', 'http://localhost:5173', 'capacitor://localhost'] },
    { allowedOrigins: ['x-https://localhost'] },
    { allowedOrigins: (origin: string) => origin.endsWith('.app.example') },
    { store: new Map() },
    {
      expiresIn: undefined,
      syncProfile: undefined,
      allowedOrigins: undefined,
      store: undefined,
      log: undefined,
    },
  ])('%j is fine', (options) => {
    expect(create(options)).not.toThrow()
  })

  test('refuses to be made in a page, where everybody could read the key', () => {
    vi.stubGlobal('document', {})
    expect(create({})).toThrow(TypeError)
    expect(create({})).toThrow(/for servers.*apiKey/)
    vi.unstubAllGlobals()
    expect(create({})).not.toThrow()
  })

  test('gives functions that work without the object', async () => {
    const { fetch, forget } = createTokenBroker(valid)
    expect((await fetch(new Request('https://app.example/'))).status).toBe(401)
    expect(await forget('u1')).toBe(true)
  })
})

describe('weavyUrl and apiKey as functions', () => {
  test('are asked at each call to Weavy, so a key is rotated without a restart', async () => {
    let key = 'wys_first'
    const { broker } = createTestBroker({ apiKey: () => key })
    await ask(broker)
    key = 'wys_second'
    await ask(broker, {}, 'https://app.example/api/token?refresh=true')
    expect(weavy.calls.map(({ headers }) => headers.get('authorization'))).toEqual([
      'Bearer wys_first',
      'Bearer wys_second',
    ])
  })

  test('are asked once for a request: a token that came meanwhile is not kept for another environment', async () => {
    const held = createDeferred<void>()
    let weavyUrl = WEAVY_URL
    let apiKey = 'wys_first'
    const user = () => ({ uid: 'u256', name: 'Ada' })
    const { broker } = createTestBroker({
      weavyUrl: () => weavyUrl,
      apiKey: () => apiKey,
      syncProfile: true,
      user,
      store: { get: () => held.promise, set() {}, delete() {} },
    })
    const reply = ask(broker)
    await settle()
    weavyUrl = 'https://other.weavy.test'
    apiKey = 'wys_second'
    held.resolve()
    expect((await reply).status).toBe(200)
    expect(
      weavy.calls.map(({ method, url, headers }) => [method, url, headers.get('authorization')]),
    ).toEqual([
      ['POST', `${WEAVY_URL}/api/users/u256/tokens`, 'Bearer wys_first'],
      ['PUT', `${WEAVY_URL}/api/users/u256`, 'Bearer wys_first'],
    ])
  })

  test('are not asked at creation, when there may be no environment yet', async () => {
    const environment: { url?: string; key?: string } = {}
    const { broker } = createTestBroker({ weavyUrl: () => environment.url, apiKey: () => environment.key })
    environment.url = 'https://acme.weavy.test/late'
    environment.key = 'wys_late'
    expect((await ask(broker)).status).toBe(200)
    expect(weavy.calls[0]?.url).toBe('https://acme.weavy.test/late/api/users/u256/tokens')
  })

  test.each([
    ['weavyUrl', () => undefined],
    ['weavyUrl', () => 'http://acme.weavy.test/secret'],
    ['apiKey', () => undefined],
    ['apiKey', () => 'secret'],
    [
      'apiKey',
      () => {
        throw new Error('secret')
      },
    ],
    ['weavyUrl', async () => 'https://acme.weavy.test'],
    ['weavyUrl', () => Promise.reject(new Error('secret'))],
    ['apiKey', () => Promise.reject(new Error('secret'))],
  ])(
    '%s that does not return what can be used: 500, and the log names the option and does not quote it',
    async (option, value) => {
      const { broker, lines } = createTestBroker({ [option]: value })
      expect((await ask(broker)).status).toBe(500)
      expect(lines).toEqual([expect.stringMatching(new RegExp(`^weavy-token broker: ${option}(\\(\\))? `))])
      expect(lines.join()).not.toMatch(/secret/)
    },
  )

  test.each(['weavyUrl', 'apiKey'])(
    '%s that returns a promise or throws: the log says so',
    async (option) => {
      const { broker, lines } = createTestBroker({ [option]: async () => 'wys_key' })
      await ask(broker)
      expect(lines).toEqual([`weavy-token broker: ${option}() must return a string at once, no promise.`])
      const throwing = createTestBroker({
        [option]: () => {
          throw new RangeError('secret')
        },
      })
      await ask(throwing.broker)
      expect(throwing.lines).toEqual([
        expect.stringMatching(new RegExp(`^weavy-token broker: ${option}\\(\\) threw RangeError`)),
      ])
    },
  )
})
