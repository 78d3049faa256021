import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTokenBroker, type TokenBrokerOptions } from '../src/broker/index.js'
import { brokerOf } from '../src/broker-request.js'
import { createTokenSource, type TokenError, type TokenSourceOptions } from '../src/index.js'
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
    const { source, request } = await ask(good, {
      tokenUrl: `${TOKEN_URL}?tenant=7&refresh=true&norefresh=1#top`,
    })
    source.close()
    expect(request.url).toBe(`${TOKEN_URL}?tenant=7&norefresh=1`)
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
    ['another origin', 'https://shop.example/', 'same-origin'],
    ['no page at all', undefined, 'same-origin'],
  ])('credentials for %s, and a URL that every wrapper of fetch takes', async (_, page, credentials) => {
    if (page) onPage(page)
    const fetch = vi.fn(async () => json({ access_token: 'wyu_1' }))
    const { source } = await ask(good, { fetch: fetch as typeof globalThis.fetch })
    source.close()
    expect(fetch).toHaveBeenCalledWith(TOKEN_URL, expect.objectContaining({ credentials }))
  })

  test.each([
    ['/api/token', undefined, TOKEN_URL],
    ['token', undefined, 'https://app.example/token'],
    ['token', 'https://evil.example/api/', 'https://app.example/token'],
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
    ['HTML', () => HttpResponse.html('<form action="/login">'), 'bad_response'],
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

  test.each([
    ['HTML', () => HttpResponse.html('<form action="/login">')],
    ['JSON without a token', () => json({ error: 'login_required' })],
    ['400', () => json({ error: 'invalid_request' }, { status: 400 })],
  ])('a redirect to another origin that answers %s is a sign-in page', async (_, page) => {
    server.use(http.get('https://login.example/', page))
    const { source, state } = await ask(() => HttpResponse.redirect('https://login.example/'))
    source.close()
    expect(state).toMatchObject({ status: 'signed-out', error: { code: 'signed_out' } })
  })

  test('a redirect within the origin to HTML is a sign-in page', async () => {
    server.use(http.get('https://app.example/login', () => HttpResponse.html('<form>')))
    const { source, state } = await ask(() => HttpResponse.redirect('https://app.example/login'))
    source.close()
    expect(state).toMatchObject({
      status: 'signed-out',
      error: {
        code: 'signed_out',
        message: 'A sign-in page answered in place of the token broker. Sign in again.',
      },
    })
  })

  test.each([
    [500, 'broker_error'],
    [503, 'broker_error'],
    [429, 'rate_limited'],
  ])('a redirect to another origin that answers %i is an outage', async (status, code) => {
    server.use(http.get('https://tokens.example/', () => new HttpResponse(null, { status })))
    const { source, state } = await ask(() => HttpResponse.redirect('https://tokens.example/'))
    source.close()
    expect(state).toMatchObject({ error: { code, status } })
  })

  test('an answer of a fetch that does not say its address is an answer of the broker', async () => {
    const fetch = async () => new Response(null, { status: 404 })
    const { source, state } = await ask(good, { fetch })
    source.close()
    expect(state).toMatchObject({ error: { code: 'broker_error', status: 404 } })
  })

  test('a redirect to a broker of another origin is followed', async () => {
    server.use(http.get('https://tokens.example/', () => json({ access_token: 'wyu_1' })))
    const { source, state } = await ask(() => HttpResponse.redirect('https://tokens.example/'))
    source.close()
    expect(state).toMatchObject({ status: 'ready', token: 'wyu_1' })
  })

  test.each(['text/html; charset=UTF-8', 'text/plain'])('JSON labelled %s is JSON', async (type) => {
    const { source, state } = await ask(
      () => new HttpResponse('{"access_token":"wyu_1"}', { headers: { 'content-type': type } }),
    )
    source.close()
    expect(state).toMatchObject({ status: 'ready', token: 'wyu_1' })
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

  test('a network error of the page’s own origin says nothing of other origins', async () => {
    onPage()
    const { source, state } = await ask(() => HttpResponse.error())
    source.close()
    expect(state).toMatchObject({
      error: { message: 'The token broker could not be reached (network, CORS or CSP).' },
    })
  })

  test('nothing is sent for a request that was given up while requestInit was awaited', async () => {
    const fetch = vi.fn()
    const abort = new AbortController()
    const requestInit = async () => {
      abort.abort()
      return {}
    }
    const request = brokerOf({ tokenUrl: TOKEN_URL, fetch, requestInit })
    const call = request({ refresh: false, signal: abort.signal } as never) as Promise<unknown>
    await expect(call).rejects.toMatchObject({ code: 'unreachable' })
    expect(fetch).not.toHaveBeenCalled()
  })

  test('a body that never ends is cut off', async () => {
    const { source, state } = await ask(
      () => new HttpResponse(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array([123])) })),
      { timeoutMs: 50 },
    )
    source.close()
    expect(state).toMatchObject({ error: { code: 'timeout' } })
  })

  const broken = new Error('no CSRF token in this page')
  test.each([
    ['throws', () => Promise.reject(broken), 'requestInit failed. See its cause.', broken],
    [
      'returns nothing',
      () => undefined as never,
      'requestInit returned nothing that can be sent.',
      undefined,
    ],
    [
      'gives a header that cannot be sent',
      () => ({ headers: { cookie: 'sid=5ecret\nx' } }),
      'requestInit returned nothing that can be sent.',
      undefined,
    ],
    ['never returns', () => new Promise<never>(() => {}), 'requestInit did not return in time.', undefined],
  ])(
    'a requestInit that %s says so, and is no fault of the network',
    async (_, requestInit, message, cause) => {
      const { source, state, requests } = await ask(good, { requestInit, timeoutMs: 50 })
      source.close()
      expect(state).toMatchObject({ status: 'failed', error: { code: 'bad_response', message } })
      expect((state as { error: Error }).error.cause).toBe(cause)
      expect(requests).toHaveLength(0)
    },
  )
})

describe('held and refused', () => {
  const urlsOf = async (answer: object) => {
    const fetch = vi.fn(async (_url: string) => json(answer))
    const ask = brokerOf({ tokenUrl: `${TOKEN_URL}?tenant=7`, fetch: fetch as never })
    const request = { rejected: undefined, user: 'u1', signal: new AbortController().signal }
    for (const digests of [
      { held: 'HELD', refused: undefined },
      { held: undefined, refused: 'REFUSED' },
    ]) {
      await ask({ ...request, ...digests, refresh: true })
      await ask({ ...request, ...digests, refresh: false })
    }
    return fetch.mock.calls.map(([url]) => url.slice(TOKEN_URL.length))
  }

  test('are both sent, also by a page whose user another tab has asked for', async () => {
    const fetch = vi.fn(async (_url: string) => json({ access_token: 'wyu_1' }))
    const ask = brokerOf({ tokenUrl: TOKEN_URL, fetch: fetch as never })
    const { signal } = new AbortController()
    const digests = { held: 'HELD', refused: 'REFUSED' }
    await ask({ rejected: undefined, user: 'u1', sub: 's1', signal, refresh: true, ...digests })
    expect(fetch.mock.calls[0]?.[0]).toBe(`${TOKEN_URL}?refresh=true&held=HELD&refused=REFUSED`)
  })

  test('are sent beside refresh=true to a broker that has answered with sub', async () => {
    expect(await urlsOf({ access_token: 'wyu_1', sub: 's1' })).toEqual([
      '?tenant=7&refresh=true',
      '?tenant=7',
      '?tenant=7&refresh=true&refused=REFUSED',
      '?tenant=7',
    ])
  })

  test('never meet a broker that knows nothing of them', async () => {
    expect(await urlsOf({ access_token: 'wyu_1' })).toEqual([
      '?tenant=7&refresh=true',
      '?tenant=7',
      '?tenant=7&refresh=true',
      '?tenant=7',
    ])
  })
})

describe('a request that fails', () => {
  const failing = (second: object | Error) => {
    const modes: (string | undefined)[] = []
    const fetch = async (_: string, init: RequestInit) => {
      modes.push(init.redirect)
      if (init.redirect === 'manual' && !(second instanceof Error)) return second
      throw new TypeError('Failed to fetch')
    }
    return { modes, fetch: fetch as typeof globalThis.fetch }
  }

  test('and is a redirect that no page may follow, is a sign-in page', async () => {
    const { fetch, modes } = failing({ type: 'opaqueredirect', status: 0, ok: false })
    const { source, state } = await ask(good, { fetch })
    source.close()
    expect(state).toMatchObject({ status: 'signed-out', error: { code: 'signed_out' } })
    expect(modes).toEqual(['follow', 'manual'])
  })

  test.each([
    ['fails again', new TypeError('Failed to fetch')],
    ['is answered', new Response('{}')],
  ])('and %s when it is looked at once more, is unreachable', async (_, second) => {
    const { fetch } = failing(second)
    const { source, state } = await ask(good, { fetch })
    source.close()
    expect(state).toMatchObject({ error: { code: 'unreachable', cause: { message: 'Failed to fetch' } } })
  })

  test('behind a redirect that has brought a token is unreachable: that redirect leads to no sign-in page', async () => {
    let isDown = false
    const fetch = async (_: string, init: RequestInit) => {
      if (init.redirect === 'manual') return { type: 'opaqueredirect', status: 0, ok: false }
      if (isDown) throw new TypeError('Failed to fetch')
      return Object.defineProperty(json({ access_token: 'wyu_1' }), 'redirected', { value: true })
    }
    const request = brokerOf({ tokenUrl: TOKEN_URL, fetch: fetch as never })
    const { signal } = new AbortController()
    const once = () => request({ refresh: false, signal } as never)
    expect(await once()).toMatchObject({ access_token: 'wyu_1' })
    isDown = true
    await expect(once()).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('is looked at once more at most once in a minute, and never offline', async () => {
    vi.useFakeTimers()
    try {
      const { fetch, modes } = failing(new TypeError('Failed to fetch'))
      const request = brokerOf({ tokenUrl: TOKEN_URL, fetch })
      const { signal } = new AbortController()
      const once = () => (request({ refresh: false, signal } as never) as Promise<unknown>).catch(() => {})
      await once()
      vi.advanceTimersByTime(59_000)
      await once()
      expect(modes).toEqual(['follow', 'manual', 'follow'])
      vi.advanceTimersByTime(1000)
      vi.stubGlobal('navigator', { onLine: false })
      await once()
      expect(modes).toHaveLength(4)
      vi.stubGlobal('navigator', { onLine: true })
      await once()
      expect(modes).toHaveLength(6)
    } finally {
      vi.useRealTimers()
    }
  })

  test.each([
    ['another origin', 'https://shop.example/', true],
    ['its own origin', PAGE, false],
  ])('on a page of %s: what its message names', async (_, page, isElsewhere) => {
    onPage(page)
    const { source, state } = await ask(() => HttpResponse.error())
    const refused = await ask(() => new HttpResponse(null, { status: 401 }))
    source.close()
    refused.source.close()
    for (const { error } of [state, refused.state] as { error: Error }[]) {
      expect(error.message.includes("requestInit: { credentials: 'include' }")).toBe(isElsewhere)
      expect(error.message.includes('allowedOrigins')).toBe(isElsewhere)
    }
  })

  test('in our own code is said to be unknown, and is no fault of the network', async () => {
    const bug = new TypeError("Cannot read properties of undefined (reading 'status')")
    const answer = {
      get status() {
        throw bug
      },
    }
    const { source, state } = await ask(good, { fetch: (async () => answer) as never })
    source.close()
    expect(state).toMatchObject({ status: 'failed', error: { code: 'bad_response', cause: bug } })
    expect(state).toMatchObject({ error: { message: expect.stringContaining('Unknown error') } })
  })
})

describe('mistakes explain themselves', () => {
  const messageOf = async (answer: Answer, options?: Partial<TokenSourceOptions>) => {
    const { source, state } = await ask(answer, options)
    source.close()
    return (state as { error: TokenError }).error
  }

  test('404 names the path that has no broker, without its query', async () => {
    const { message } = await messageOf(() => new HttpResponse(null, { status: 404 }), {
      tokenUrl: `${TOKEN_URL}?tenant=7`,
    })
    expect(message).toBe('There is no token broker at /api/token (404).')
    const deep = await ask(
      () => new HttpResponse(null, { status: 404 }),
      {},
      'https://app.example/api//token',
    )
    deep.source.close()
    expect(deep.state).toMatchObject({ error: { message: 'There is no token broker at /api//token (404).' } })
  })

  test("a page of the app's own, as a single-page app's fallback answers, is a wrong tokenUrl", async () => {
    const { code, message } = await messageOf(() => HttpResponse.html('<!doctype html><div id="root">'))
    expect(code).toBe('bad_response')
    expect(message).toBe('HTML came in place of JSON. Does tokenUrl lead to the token broker?')
  })

  const broker = (options: Partial<TokenBrokerOptions>) =>
    createTokenBroker({
      weavyUrl: 'https://acme.weavy.io',
      apiKey: 'wys_made_up',
      user: () => ({ uid: 'u1' }),
      fetch: async () => new Response(null, { status: 401 }),
      log: () => {},
      ...options,
    })

  test('an origin that our broker does not know is no sign-out, and names the option', async () => {
    onPage('https://shop.example/')
    const { fetch } = broker({})
    const error = await messageOf((request) => {
      const headers = { origin: 'https://shop.example', 'sec-fetch-site': 'cross-site' }
      return fetch(new Request(request.url, { headers }))
    })
    expect(error).toMatchObject({ code: 'broker_error', status: 403 })
    expect(error.message).toMatch(/^Origin not allowed\. .*allowedOrigins of the broker\.$/)
  })

  test('other problems of our broker are told by their fixed texts', async () => {
    const refused = await messageOf((request) => broker({}).fetch(request))
    expect(refused).toMatchObject({ code: 'broker_error', status: 502 })
    expect(refused.message).toMatch(/^Weavy refused the broker\. /)
    const invalid = await messageOf((request) => broker({ user: () => ({ uid: '42' }) }).fetch(request))
    expect(invalid.message).toMatch(/^Invalid user\. /)
    const nobody = await messageOf((request) => broker({ user: () => null }).fetch(request))
    expect(nobody).toMatchObject({ code: 'signed_out', status: 401 })
    expect(nobody.message).toMatch(/^Not signed in\. /)
  })

  test("no other server's text goes into a message", async () => {
    const problem = (type: string, detail: string) => () =>
      new HttpResponse(JSON.stringify({ type, title: 'No', detail, status: 500 }), {
        status: 500,
        headers: { 'content-type': 'application/problem+json' },
      })
    const plain = () =>
      json({ type: 'urn:weavy-token:problem:origin_not_allowed', title: 'No', detail: 'No' }, { status: 403 })
    expect(await messageOf(plain)).toMatchObject({ code: 'signed_out' })
    const other = await messageOf(problem('about:blank', 'user alice is blocked'))
    const forged = await messageOf(problem('urn:weavy-token:problem:x', 'wyu_5ecret'))
    for (const { message } of [other, forged])
      expect(message).toBe('The token broker answered 500. See its log.')
  })

  test.each([
    ['a bare token', () => new HttpResponse('wyu_5ecret\n'), 'await response.text()'],
    ['a bare token', () => new HttpResponse('"wyu_5ecret"'), 'await response.text()'],
    ['{ token }', () => json({ token: 'wyu_5ecret' }), '(await response.json()).token'],
    ['{ accessToken }', () => json({ accessToken: 'wyu_5ecret' }), '(await response.json()).accessToken'],
  ])('%s is named, and the line that reads it', async (found, answer, line) => {
    const { code, message } = await messageOf(answer)
    expect(code).toBe('bad_response')
    expect(message).toContain(`answered ${found}, not { access_token }`)
    expect(message).toContain(`Let fetchToken return { access_token: ${line} }`)
    expect(message).not.toContain('5ecret')
  })

  test('200 { message } asks for a 401', async () => {
    const { code, message } = await messageOf(() => json({ message: 'Please sign in, alice' }))
    expect(code).toBe('bad_response')
    expect(message).toContain('should answer 401')
    expect(message).not.toContain('alice')
  })

  test.each([
    ['as text', () => new HttpResponse('wys_5ecret')],
    ['as JSON', () => new HttpResponse('"wys_5ecret"')],
    ['as { token }', () => json({ token: 'wys_5ecret' })],
  ])('an API key %s is refused as one', async (_, answer) => {
    const { code, message } = await messageOf(answer)
    expect(code).toBe('wrong_token')
    expect(message).toContain('Revoke that key now')
  })

  test.each([
    [{ tokenUrl: undefined }, 'tokenUrl is undefined: give either tokenUrl or fetchToken'],
    [{ tokenUrl: null }, 'tokenUrl is null: give either tokenUrl or fetchToken'],
    [{ tokenUrl: '' }, 'tokenUrl is empty: give either tokenUrl or fetchToken'],
    [{ tokenUrl: '/t', fetchToken: async () => ({}) }, 'give either tokenUrl or fetchToken'],
    [{ fetchToken: 'https://app.example' }, 'fetchToken must be a function'],
    [{ fetchToken: null }, 'fetchToken must be a function'],
  ])('%j is a TypeError at creation', (options, message) => {
    expect(() => createTokenSource(options as never)).toThrow(new TypeError(message))
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
  ['90.25', 90_250],
  ['+60', 60_000],
  ['1e400', undefined],
])('Retry-After %j is %s ms', (value, ms) => {
  expect(retryAfterMs(value, null)).toBe(ms)
})

test('a Retry-After that is a date is read against the Date of the answer, not against this machine', () => {
  expect(retryAfterMs('Wed, 01 Jan 2020 00:00:05 GMT', 'Wed, 01 Jan 2020 00:00:00 GMT')).toBe(5000)
})
