import fc from 'fast-check'
import { HttpResponse } from 'msw'
import { describe, expect, test } from 'vitest'
import { ask, createTestBroker, SUB } from './ask.js'
import { API_KEY, createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

describe('the request to Weavy', () => {
  test('asks for a token of the user, with the API key as bearer, the lifetime and the profile', async () => {
    const user = () => ({
      uid: 'u256',
      name: 'Ada',
      picture: 'https://app.example/ada.png',
      tags: ['math'],
      phone_number: undefined,
    })
    const { broker, lines } = createTestBroker({ user })

    const { status, headers, body } = await ask(broker)

    expect(status).toBe(200)
    expect(body).toEqual({ access_token: 'wyu_1', expires_in: expect.any(Number), sub: SUB })
    expect(body.expires_in).toBeGreaterThan(3595)
    expect(body.expires_in).toBeLessThanOrEqual(3600)
    expect(Object.fromEntries(headers)).toEqual({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'cross-origin-resource-policy': 'same-origin',
      vary: 'Cookie, Authorization',
      'x-content-type-options': 'nosniff',
    })
    expect(weavy.calls).toHaveLength(1)
    const [call] = weavy.calls
    expect(call?.method).toBe('POST')
    expect(call?.url).toBe(`${WEAVY_URL}/api/users/u256/tokens`)
    expect(call?.headers.get('authorization')).toBe(`Bearer ${API_KEY}`)
    expect(call?.headers.get('content-type')).toBe('application/json')
    expect(call?.headers.get('accept')).toBe('application/json')
    expect(call?.body).toEqual({
      name: 'Ada',
      picture: 'https://app.example/ada.png',
      tags: ['math'],
      expires_in: 3600,
    })
    expect(lines).toEqual([])
  })

  test('asks for the lifetime of the option, whatever the profile holds', async () => {
    const { broker } = createTestBroker({ expiresIn: 120, user: () => ({ uid: 'u1', expires_in: 1e9 }) })
    expect((await ask(broker)).body.expires_in).toBeLessThanOrEqual(120)
    expect(weavy.calls[0]?.body).toEqual({ expires_in: 120 })
  })

  test.each([
    ['https://acme.weavy.test/', 'https://acme.weavy.test/api/users/u256/tokens'],
    ['https://acme.weavy.test/sub/path//', 'https://acme.weavy.test/sub/path/api/users/u256/tokens'],
  ])('goes from weavyUrl %s to %s', async (weavyUrl, url) => {
    const { broker } = createTestBroker({ weavyUrl })
    await ask(broker)
    expect(weavy.calls.map((call) => call.url)).toEqual([url])
  })

  test.each([
    ['u?admin=1', 'u%3Fadmin%3D1'],
    ['u#x', 'u%23x'],
    ['u%2e%2e', 'u%252e%252e'],
    ['%2e%2e', '%252e%252e'],
    ['%2F', '%252F'],
    ['...', '...'],
    ['u;x', 'u%3Bx'],
    ['ada@app.example', 'ada%40app.example'],
    ['åsa', '%C3%A5sa'],
  ])('keeps the uid %s in its path segment', async (uid, segment) => {
    const { broker } = createTestBroker({ user: () => ({ uid }) })
    expect((await ask(broker)).status).toBe(200)
    expect(weavy.calls.map((call) => call.url)).toEqual([`${WEAVY_URL}/api/users/${segment}/tokens`])
  })

  test('never leaves /api/users/{uid}/tokens, whatever the uid is', async () => {
    const urls: string[] = []
    const fetch = async (input: RequestInfo | URL) => {
      urls.push(new URL(String(input)).href)
      return HttpResponse.json({ access_token: 'wyu_1', expires_in: 60 })
    }
    const nasty = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '%2e',
      '%2f',
      '?',
      '#',
      ';',
      '\t',
      '\r\n',
      '\0',
      '@',
      ':',
    )
    const uid = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(nasty).map((parts) => parts.join('')),
    )
    await fc.assert(
      fc.asyncProperty(uid, async (value) => {
        urls.length = 0
        const { broker } = createTestBroker({ fetch, store: new Map(), user: () => ({ uid: value }) })
        const { status } = await ask(broker)
        expect([200, 500]).toContain(status)
        expect(urls).toHaveLength(status === 200 ? 1 : 0)
        for (const url of urls) {
          const [, segment = '', ...rest] =
            /^https:\/\/acme\.weavy\.test\/api\/users\/([^/?#]+)\/tokens$/.exec(url) ?? []
          expect(rest).toEqual([])
          expect(decodeURIComponent(segment)).toBe(value)
        }
      }),
    )
  })
})

describe('expires_in of the answer', () => {
  test.each([
    ['a number', 1800, 1800],
    ['a numeric string', '1800', 1800],
    ['missing: what was asked for', undefined, 3600],
    ['longer than asked for: what was asked for', 1e20, 3600],
  ])('%s', async (_, expires_in, seconds) => {
    weavy.next(() => HttpResponse.json({ access_token: 'wyu_a', expires_in }))
    const { broker } = createTestBroker()
    const { body } = await ask(broker)
    expect(body.expires_in).toBeGreaterThan(seconds - 5)
    expect(body.expires_in).toBeLessThanOrEqual(seconds)
  })
})

test('a query string of a megabyte is no problem', async () => {
  const { broker } = createTestBroker()
  const url = `https://app.example/api/token?${'&refresh=tru'.repeat(100_000)}`
  expect((await ask(broker, {}, url)).status).toBe(200)
  expect((await ask(broker, {}, `${url}&refresh=true`)).body.access_token).toBe('wyu_2')
})

test.each([
  ['?refresh=true', true],
  ['?theme=dark&refresh=true', true],
  ['?refresh=true&theme=dark', true],
  ['?refresh=false', false],
  ['?refresh=trueish', false],
  ['?norefresh=true', false],
  ['?refresh', false],
  ['', false],
])('the query %j asks for a new token: %j', async (query, isNew) => {
  const { broker } = createTestBroker()
  await ask(broker)
  const { body } = await ask(broker, {}, `https://app.example/api/token${query}`)
  expect(body.access_token).toBe(isNew ? 'wyu_2' : 'wyu_1')
})
