import { inspect } from 'node:util'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTokenSource, TokenError, type TokenSourceOptions } from '../src/index.js'

const URL_OF_BROKER = 'https://broker.example/api/token?tenant=7'
const SECRET = 'wyu_secret'

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
afterEach(() => {
  server.resetHandlers()
  vi.unstubAllGlobals()
})
afterAll(() => server.close())

/** Answers every request of a new source with what `resolve` returns, and keeps the requests. */
function broker(resolve: (request: Request) => Response | Promise<Response>) {
  const requests: Request[] = []
  server.use(
    http.get('https://broker.example/api/token', ({ request }) => {
      requests.push(request)
      return resolve(request)
    }),
  )
  return requests
}

const ask = async (options: Partial<TokenSourceOptions> = {}): Promise<string | TokenError> => {
  const source = createTokenSource({ tokenUrl: URL_OF_BROKER, maxWaitMs: 200, ...options })
  const outcome = await source.getToken().catch((error: unknown) => error as TokenError)
  source.close()
  return outcome
}

const good = () => HttpResponse.json({ access_token: SECRET, expires_in: 3600 })

describe('the request', () => {
  test('is what the UIKit sends: GET, refresh=true for a newer one, other query parameters kept', async () => {
    const requests = broker(good)
    const source = createTokenSource({
      tokenUrl: URL_OF_BROKER,
      requestInit: { headers: { 'X-CSRF': 'yes' } },
    })
    const token = await source.getToken()
    source.getToken({ rejected: token }).catch(() => {})
    await vi.waitFor(() => expect(requests).toHaveLength(2))
    source.close()
    const [first, second] = requests as [Request, Request]
    expect([first.method, first.url]).toEqual(['GET', URL_OF_BROKER])
    expect(second.url).toBe(`${URL_OF_BROKER}&refresh=true`)
    expect(first.cache).toBe('no-store')
    expect(first.credentials).toBe('include')
    expect(first.headers.get('accept')).toBe('application/json')
    expect(first.headers.get('x-csrf')).toBe('yes')
  })

  test('to the own origin carries same-origin credentials, and requestInit may be a function', async () => {
    vi.stubGlobal('location', { href: 'https://broker.example/page', origin: 'https://broker.example' })
    const requests = broker(good)
    await ask({ tokenUrl: '/api/token', requestInit: async () => ({ headers: { 'X-CSRF': 'fresh' } }) })
    expect(requests[0]?.credentials).toBe('same-origin')
    expect(requests[0]?.headers.get('x-csrf')).toBe('fresh')
  })
})

describe('the answer', () => {
  const cases: [string, () => Response, Partial<TokenError> & { code: string }][] = [
    ['401', () => new Response(null, { status: 401 }), { code: 'signed_out', status: 401 }],
    ['403', () => new Response(null, { status: 403 }), { code: 'signed_out', status: 403 }],
    ['a sign-in page', () => HttpResponse.html('<form>'), { code: 'signed_out', status: 200 }],
    ['404', () => new Response(null, { status: 404 }), { code: 'broker_error', status: 404 }],
    ['500 as HTML', () => HttpResponse.html('<h1>', { status: 500 }), { code: 'broker_error', status: 500 }],
    [
      '503 with Retry-After in seconds',
      () => new Response(null, { status: 503, headers: { 'Retry-After': '7' } }),
      { code: 'broker_error', status: 503, retryAfterMs: 7000 },
    ],
    [
      '429 with Retry-After in words',
      () => new Response(null, { status: 429, headers: { 'Retry-After': 'soon' } }),
      { code: 'rate_limited', status: 429, retryAfterMs: undefined },
    ],
    ['no JSON', () => new Response(`{"access_token":"${SECRET}`), { code: 'bad_response' }],
    ['null', () => HttpResponse.json(null), { code: 'bad_response' }],
    ['no token', () => HttpResponse.json({ expires_in: 3600 }), { code: 'bad_response' }],
    ['an API key', () => HttpResponse.json({ access_token: 'wys_secret' }), { code: 'wrong_token' }],
    ['a JWT', () => HttpResponse.json({ access_token: 'eyJ.secret.x' }), { code: 'wrong_token' }],
    ['a number', () => HttpResponse.json({ access_token: 42 }), { code: 'wrong_token' }],
    ['a network error', () => HttpResponse.error(), { code: 'unreachable' }],
  ]
  for (const [what, answer, expected] of cases)
    test(`${what} is ${expected.code}, and nothing of it is quoted`, async () => {
      broker(answer)
      const error = await ask()
      expect(error).toBeInstanceOf(TokenError)
      expect(error).toMatchObject(expected)
      expect(inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })).not.toContain('secret')
    })

  test('Retry-After as a date is a wait from now', async () => {
    const date = new Date(Date.now() + 90_000).toUTCString()
    broker(() => new Response(null, { status: 503, headers: { 'Retry-After': date } }))
    const { retryAfterMs } = (await ask()) as TokenError
    expect(retryAfterMs).toBeGreaterThan(80_000)
    expect(retryAfterMs).toBeLessThanOrEqual(90_000)
  })

  test('after a redirect to another origin is a sign-in page, whatever it says', async () => {
    broker(() => HttpResponse.redirect('https://login.example/'))
    server.use(
      http.get('https://login.example/', () => HttpResponse.json({ please: 'sign in' }, { status: 400 })),
    )
    expect(await ask()).toMatchObject({ code: 'signed_out', status: 400 })
  })

  test('is called offline only when the browser says so, and asked for all the same', async () => {
    vi.stubGlobal('navigator', { onLine: false })
    broker(good)
    expect(await ask()).toBe(SECRET)
    broker(() => HttpResponse.error())
    expect(await ask()).toMatchObject({ code: 'offline', cause: expect.any(TypeError) })
  })
})

describe('expires_in', () => {
  const unknown = [undefined, null, 'soon', '', '1e999', true, {}, []]
  for (const value of unknown)
    test(`${JSON.stringify(value)} is an unknown lifetime`, async () => {
      broker(() => HttpResponse.json({ access_token: SECRET, expires_in: value }))
      const source = createTokenSource({ tokenUrl: URL_OF_BROKER })
      await source.getToken()
      expect(source.getState()).toMatchObject({ status: 'ready', expiresAt: null })
      source.close()
    })

  test('may be a numeric string, and an absurd number is clamped to a date', async () => {
    for (const value of ['3600', 3600, 1e20]) {
      broker(() => HttpResponse.json({ access_token: SECRET, expires_in: value }))
      const source = createTokenSource({ tokenUrl: URL_OF_BROKER })
      await source.getToken()
      const state = source.getState()
      const expiresAt = 'expiresAt' in state ? (state.expiresAt ?? 0) : 0
      expect(expiresAt).toBeGreaterThan(Date.now() + 3_590_000)
      expect(new Date(expiresAt).toJSON()).not.toBeNull()
      source.close()
    }
  })
})

describe('options', () => {
  const wrong: [string, TokenSourceOptions][] = [
    ['either tokenUrl or fetchToken', {}],
    ['either tokenUrl or fetchToken', { tokenUrl: '/t', fetchToken: async () => ({ access_token: '' }) }],
    ['tokenUrl must be https', { tokenUrl: 'http://broker.example/token' }],
    ['tokenUrl is not a URL', { tokenUrl: 'https://' }],
    ['tokenUrl must not hold credentials', { tokenUrl: 'https://user:secret@broker.example/' }],
    ['refreshAheadMs', { tokenUrl: '/t', refreshAheadMs: -1 }],
    ['timeoutMs', { tokenUrl: '/t', timeoutMs: 0 }],
    ['timeoutMs', { tokenUrl: '/t', timeoutMs: Number.NaN }],
    ['maxWaitMs', { tokenUrl: '/t', maxWaitMs: 2 ** 31 }],
  ]
  for (const [message, options] of wrong)
    test(`a TypeError names ${message}`, () => {
      expect(() => createTokenSource(options)).toThrow(TypeError)
      expect(() => createTokenSource(options)).toThrow(message)
    })

  test('loopback may be plain http, and a relative URL is fine on a server', () => {
    for (const tokenUrl of ['http://localhost:3000/t', 'http://127.0.0.1/t', 'http://[::1]/t', '/t'])
      createTokenSource({ tokenUrl }).close()
  })
})

describe('a source shows no token', () => {
  test('to JSON, to inspect, nor as an own property', async () => {
    broker(good)
    const source = createTokenSource({ tokenUrl: URL_OF_BROKER, user: 'user-secret' })
    await source.getToken()
    expect(JSON.stringify(source)).not.toContain('secret')
    expect(inspect(source, { showHidden: true, depth: Number.POSITIVE_INFINITY })).not.toContain('secret')
    source.close()
  })

  test('through what a fetchToken of the app throws after reading a broken answer', async () => {
    const error = await ask({
      tokenUrl: undefined,
      fetchToken: async () => JSON.parse(`{"access_token":"${SECRET}`),
    })
    expect(error).toMatchObject({ code: 'bad_response' })
    expect(error).not.toHaveProperty('cause')
    expect(inspect(error, { showHidden: true })).not.toContain('secret')
  })
})
