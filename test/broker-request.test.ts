import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTokenSource, type TokenSourceOptions } from '../src/index.js'
import { retryAfterMs } from '../src/wire.js'

const PAGE = 'https://app.example/inbox'
const TOKEN_URL = 'https://app.example/api/token'

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
afterEach(() => {
  server.resetHandlers()
  vi.unstubAllGlobals()
})
afterAll(() => server.close())

type Answer = (request: Request, n: number) => Response | Promise<Response>

/** Asks the source for its first token; `answer` plays the broker. */
async function ask(answer: Answer, options: Partial<TokenSourceOptions> = {}, url = TOKEN_URL) {
  const requests: Request[] = []
  server.use(
    http.all(url, ({ request }) => {
      requests.push(request)
      return answer(request, requests.length)
    }),
  )
  const source = createTokenSource({ tokenUrl: url, maxWaitMs: 0, ...options })
  // Whoever may not wait is told at once, so listen to what the request itself brings.
  const first = new Promise<ReturnType<typeof source.getState>>((resolve) => {
    source.subscribe((state) => {
      if (state.status !== 'fetching') resolve(state)
    })
  })
  source.getToken().catch(() => {})
  const state = await first
  return { source, state, requests, request: requests[0] as Request }
}

const onPage = (href = PAGE) => vi.stubGlobal('location', new URL(href))
const json = (body: object, init?: ResponseInit) => HttpResponse.json(body, init)
const good: Answer = (_, n) => json({ access_token: `wyu_${n}`, expires_in: 3600 })

describe('request', () => {
  test('a first token is asked for without refresh, a newer one with refresh=true', async () => {
    onPage()
    const { source, requests, state } = await ask(good)
    expect(state).toMatchObject({ status: 'ready', token: 'wyu_1' })
    source.getToken({ rejected: 'wyu_1' }).catch(() => {})
    await vi.waitFor(() => expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_2' }))
    source.close()
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${TOKEN_URL}`,
      `GET ${TOKEN_URL}?refresh=true`,
    ])
  })

  test('other query parameters are kept, a refresh of the app is not', async () => {
    const { source, request } = await ask(good, { tokenUrl: `${TOKEN_URL}?tenant=7&refresh=true` })
    source.close()
    expect(request.url).toBe(`${TOKEN_URL}?tenant=7`)
  })

  test('is never answered from a cache, and asks for JSON', async () => {
    const { source, request } = await ask(good)
    source.close()
    expect(request.cache).toBe('no-store')
    expect(request.redirect).toBe('follow')
    expect(request.headers.get('accept')).toBe('application/json')
  })

  test.each([
    ['own origin', PAGE, 'same-origin'],
    ['another origin', 'https://shop.example/', 'include'],
    ['no page at all', undefined, 'include'],
  ])('credentials for %s', async (_, page, credentials) => {
    if (page) onPage(page)
    const fetch = vi.fn(async () => json({ access_token: 'wyu_1' }))
    const { source } = await ask(good, { fetch: fetch as typeof globalThis.fetch })
    source.close()
    expect(fetch).toHaveBeenCalledWith(new URL(TOKEN_URL), expect.objectContaining({ credentials }))
  })

  test.each([
    ['/api/token', undefined, TOKEN_URL],
    ['token', undefined, 'https://app.example/token'],
    ['token', 'https://app.example/api/', TOKEN_URL],
  ])('%s on a page with base %s', async (tokenUrl, baseURI, url) => {
    onPage()
    if (baseURI) vi.stubGlobal('document', Object.assign(new EventTarget(), { baseURI, cookie: '' }))
    const { source, request } = await ask(good, { tokenUrl }, url)
    source.close()
    expect(request.url).toBe(url)
  })

  test.each([
    ['an object', { headers: { 'X-CSRF': '1' } }],
    ['a function', () => ({ headers: new Headers({ 'X-CSRF': '1' }) })],
    ['an async function', async () => ({ headers: [['X-CSRF', '1']] as [string, string][] })],
  ])('requestInit is %s', async (_, requestInit) => {
    const { source, request } = await ask(good, { requestInit })
    source.close()
    expect(request.headers.get('x-csrf')).toBe('1')
    expect(request.headers.get('accept')).toBe('application/json')
  })

  test('requestInit may choose method, Accept and credentials, never cache, redirect or signal', async () => {
    const mine = new AbortController()
    const { source, request } = await ask(good, {
      requestInit: {
        method: 'POST',
        headers: { accept: 'application/vnd.app+json' },
        credentials: 'omit',
        cache: 'force-cache',
        redirect: 'error',
        signal: mine.signal,
      },
    })
    source.close()
    expect(request).toMatchObject({
      method: 'POST',
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'follow',
    })
    expect(request.headers.get('accept')).toBe('application/vnd.app+json')
  })

  test('the global fetch is looked up at each call', async () => {
    const source = createTokenSource({ tokenUrl: TOKEN_URL })
    const fetch = vi.fn(async () => json({ access_token: 'wyu_1' }))
    vi.stubGlobal('fetch', fetch)
    expect(await source.getToken()).toBe('wyu_1')
    source.close()
    expect(fetch).toHaveBeenCalledTimes(1)
  })
})

describe('answer', () => {
  const statuses: [number, string][] = [
    [400, 'broker_error'],
    [401, 'signed_out'],
    [403, 'signed_out'],
    [404, 'broker_error'],
    [429, 'rate_limited'],
    [500, 'broker_error'],
    [503, 'broker_error'],
  ]

  test.each(statuses)('%i is %s', async (status, code) => {
    const { source, state } = await ask(() => json({ detail: 'wyu_secret' }, { status }))
    source.close()
    expect(state).toMatchObject({ error: { name: 'TokenError', code, status } })
    expect(state).not.toHaveProperty('error.cause')
  })

  test.each([
    ['seconds', '120', 120_000],
    ['an HTTP date', () => new Date(Date.now() + 120_000).toUTCString(), 120_000],
    ['a date that has passed', 'Wed, 21 Oct 2015 07:28:00 GMT', 0],
    ['rubbish', 'soon', undefined],
  ])('Retry-After as %s', async (_, value, ms) => {
    const header = typeof value === 'function' ? value() : value
    const { source, state } = await ask(
      () => new HttpResponse(null, { status: 503, headers: { 'retry-after': header } }),
    )
    source.close()
    const { retryAfterMs } = (state as { error: { retryAfterMs?: number } }).error
    if (ms) expect(Math.abs((retryAfterMs ?? 0) - ms)).toBeLessThan(2000)
    else expect(retryAfterMs).toBe(ms)
  })

  test.each([
    ['HTML', () => HttpResponse.html('<form action="/login">'), 'signed_out'],
    ['HTML that forgot its type', () => new HttpResponse('<form action="/login">'), 'bad_response'],
    ['half of a JSON', () => new HttpResponse('{"access_token":"wyu_secr'), 'bad_response'],
    ['a bare token', () => new HttpResponse('wyu_secret'), 'bad_response'],
    ['nothing', () => new HttpResponse(null, { status: 204 }), 'bad_response'],
    ['null', () => new HttpResponse('null'), 'bad_response'],
    ['a JSON string', () => new HttpResponse('"wyu_secret"'), 'bad_response'],
    ['an API key', () => json({ access_token: 'wys_secret' }), 'wrong_token'],
    ['a JWT', () => json({ access_token: 'eyJ.secret' }), 'wrong_token'],
  ])('%s with status 200 and up', async (_, answer, code) => {
    const { source, state } = await ask(answer)
    source.close()
    expect(state).toMatchObject({ error: { code } })
    const { message, stack, cause } = (state as { error: Error }).error
    expect(`${message}${stack}`).not.toContain('secr')
    expect(cause).toBeUndefined()
  })

  test('HTML with an error status is an error, not a sign-in page', async () => {
    const { source, state } = await ask(() => HttpResponse.html('<h1>Bad gateway</h1>', { status: 502 }))
    source.close()
    expect(state).toMatchObject({ error: { code: 'broker_error', status: 502 } })
  })

  test('a redirect to another origin is a sign-in page, whatever its type', async () => {
    server.use(http.get('https://login.example/', () => json({ access_token: 'wyu_1' })))
    const { source, state } = await ask(() => HttpResponse.redirect('https://login.example/'))
    source.close()
    expect(state).toMatchObject({ status: 'signed-out', error: { code: 'signed_out' } })
  })

  test('a redirect within the origin is followed', async () => {
    server.use(http.get('https://app.example/v2/token', () => json({ access_token: 'wyu_1' })))
    const { source, state } = await ask(() => HttpResponse.redirect('https://app.example/v2/token'))
    source.close()
    expect(state).toMatchObject({ status: 'ready', token: 'wyu_1' })
  })

  test('a network error is unreachable, with its cause', async () => {
    const { source, state } = await ask(() => HttpResponse.error())
    source.close()
    expect(state).toMatchObject({ error: { code: 'unreachable', cause: expect.any(TypeError) } })
  })

  test('a body that never ends is cut off', async () => {
    const { source, state } = await ask(
      () => new HttpResponse(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array([123])) })),
      { timeoutMs: 50 },
    )
    source.close()
    expect(state).toMatchObject({ error: { code: 'timeout' } })
  })

  test('a requestInit that throws is a typed error', async () => {
    const broken = new Error('no CSRF token in this page')
    const { source, state, requests } = await ask(good, {
      requestInit: () => {
        throw broken
      },
    })
    source.close()
    expect(state).toMatchObject({ error: { code: 'unreachable', cause: broken } })
    expect(requests).toHaveLength(0)
  })
})

test.each([
  [null, undefined],
  ['', undefined],
  ['5', 5000],
  [' 5 ', 5000],
  ['0', 0],
  ['-5', undefined],
  ['90.5', 90_500],
  ['+60', 60_000],
  ['1e400', undefined],
])('Retry-After %j is %s ms', (value, ms) => {
  expect(retryAfterMs(value, null)).toBe(ms)
})

test('a Retry-After that is a date is read against the Date of the answer, not against this machine', () => {
  expect(retryAfterMs('Wed, 01 Jan 2020 00:00:05 GMT', 'Wed, 01 Jan 2020 00:00:00 GMT')).toBe(5000)
})
