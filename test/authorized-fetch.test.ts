import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { AbortController as PolyfilledAbortController } from 'abort-controller'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest'
import {
  createAuthorizedFetch,
  createTokenSource,
  type FetchToken,
  TokenError,
  type TokenSource,
} from 'weavy-token'
import { createDeferred } from './deferred.js'

const WEAVY = 'https://weavy.example'
const bearer = (request: Request) => request.headers.get('authorization')

/** A broker that issues wyu_1, wyu_2, … and remembers what it was asked. */
function createBroker() {
  let issued = 0
  const fetchToken = vi.fn<FetchToken>(async () => {
    issued += 1
    return { access_token: `wyu_${issued}`, expires_in: 3600 }
  })
  const source = createTokenSource({ fetchToken })
  onTestFinished(source.close)
  return { fetchToken, source }
}

describe('against a scripted Weavy', () => {
  const server = setupServer()
  beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
  afterEach(() => server.resetHandlers())
  afterAll(() => server.close())

  /** What Weavy received, with the body read. */
  let received: { method: string; path: string; authorization: string | null; body: string }[] = []
  let dead = new Set<string>()
  let answer: (n: number) => Response | Promise<Response>
  beforeEach(() => {
    received = []
    dead = new Set()
    answer = () => HttpResponse.json({ ok: true })
    server.use(
      http.all(`${WEAVY}/*`, async ({ request }) => {
        const authorization = bearer(request)
        const { method, url } = request
        received.push({ method, path: url.slice(WEAVY.length), authorization, body: await request.text() })
        if (dead.has(authorization ?? '')) return new HttpResponse('refused', { status: 401 })
        return answer(received.length)
      }),
    )
  })
  const revoke = (...tokens: string[]) => {
    for (const token of tokens) dead.add(`Bearer ${token}`)
  }
  const paths = () => received.map(({ path }) => path)
  const bearers = () => received.map(({ authorization }) => authorization)

  test('adds the token and resolves a relative URL against weavyUrl', async () => {
    const { source } = createBroker()
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const response = await weavyFetch('/api/user?x=1', { headers: { 'x-kept': 'yes' } })
    expect(await response.json()).toEqual({ ok: true })
    await weavyFetch(new URL('/api/apps', WEAVY))
    await weavyFetch(new Request(`${WEAVY}/api/files`, { method: 'DELETE' }))
    expect(paths()).toEqual(['/api/user?x=1', '/api/apps', '/api/files'])
    expect(received[2]?.method).toBe('DELETE')
    expect(new Set(bearers())).toEqual(new Set(['Bearer wyu_1']))
  })

  test('names the refused token once and sends the request again with the new one', async () => {
    const { source, fetchToken } = createBroker()
    revoke('wyu_1')
    const response = await createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/user')
    expect(response.status).toBe(200)
    expect(bearers()).toEqual(['Bearer wyu_1', 'Bearer wyu_2'])
    expect(fetchToken.mock.calls.map(([{ refresh, rejected }]) => ({ refresh, rejected }))).toEqual([
      { refresh: false, rejected: undefined },
      { refresh: true, rejected: 'wyu_1' },
    ])
  })

  test('sends a request at most twice: a second 401 is the answer', async () => {
    const { source } = createBroker()
    revoke('wyu_1', 'wyu_2')
    const response = await createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/user')
    expect(response.status).toBe(401)
    expect(received).toHaveLength(2)
  })

  test('refreshes once for 20 requests whose refusals arrive late, one after the other', async () => {
    const { source, fetchToken } = createBroker()
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const gates = Array.from({ length: 20 }, () => createDeferred<void>())
    let arrived = 0
    const all = createDeferred<void>()
    answer = async (n) => {
      if (n > 20) return HttpResponse.json({ ok: true })
      arrived += 1
      if (arrived === 20) all.resolve()
      await gates[n - 1]?.promise
      return new HttpResponse(null, { status: 401 })
    }
    const calls = gates.map((_, n) => weavyFetch(`/api/apps/${n}`))
    await all.promise
    for (const [n, gate] of gates.entries()) {
      gate.resolve()
      // Each refusal is dealt with before the next one arrives.
      await vi.waitUntil(() => received.length > 20 + n, { interval: 1 })
    }
    const statuses = (await Promise.all(calls)).map((response) => response.status)
    expect(statuses).toEqual(Array(20).fill(200))
    expect(fetchToken).toHaveBeenCalledTimes(2)
    expect(received).toHaveLength(40)
  })

  describe('a resource that answers 401 to every token', () => {
    beforeEach(() => {
      answer = () =>
        received.at(-1)?.path.startsWith('/api/odd')
          ? new HttpResponse(null, { status: 401 })
          : HttpResponse.json({ ok: true })
    })

    test('costs one refresh while another one is answered, and is asked once each time', async () => {
      const { source, fetchToken } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
      for (let round = 0; round < 20; round++) {
        expect((await weavyFetch(`/api/odd?n=${round}`)).status).toBe(401)
        expect((await weavyFetch('/api/user')).status).toBe(200)
      }
      expect(fetchToken).toHaveBeenCalledTimes(2)
      expect(paths().filter((path) => path.startsWith('/api/odd'))).toHaveLength(21)
    })

    test('is believed again once it was answered, and for the next user', async () => {
      const { source, fetchToken } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
      const statuses = async () => [
        (await weavyFetch('/api/odd')).status,
        (await weavyFetch('/api/user')).status,
      ]
      expect(await statuses()).toEqual([401, 200])
      expect(await statuses()).toEqual([401, 200])
      expect(fetchToken).toHaveBeenCalledTimes(2)
      source.setUser('bob')
      expect(await statuses()).toEqual([401, 200])
      expect(fetchToken).toHaveBeenCalledTimes(4)
      answer = () => HttpResponse.json({ ok: true })
      expect(await statuses()).toEqual([200, 200])
      revoke('wyu_4')
      expect(await statuses()).toEqual([200, 200])
      expect(fetchToken).toHaveBeenCalledTimes(5)
    })

    test('is none that was answered with the new token', async () => {
      const { source, fetchToken } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: ` ${WEAVY} ` })
      for (let round = 1; round <= 2; round++) {
        revoke(`wyu_${round}`)
        expect((await weavyFetch('/api/user')).status).toBe(200)
        expect((await weavyFetch('/api/apps')).status).toBe(200)
      }
      expect(fetchToken).toHaveBeenCalledTimes(3)
    })

    test('with another method is another resource', async () => {
      const { source, fetchToken } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
      await weavyFetch('/api/odd')
      await weavyFetch('/api/user')
      await weavyFetch(new Request(`${WEAVY}/api/odd`, { method: 'POST' }))
      expect(fetchToken).toHaveBeenCalledTimes(3)
    })

    test('in numbers no more than the source bears: whatever is answered between them ends their row', async () => {
      const { source } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
      for (let n = 0; n < 8; n++) {
        expect((await weavyFetch(`/api/odd/${n}`)).status).toBe(401)
        expect((await weavyFetch('/api/user')).status).toBe(200)
      }
    })
  })

  test('passes a 403 through without a word to the broker', async () => {
    const { source, fetchToken } = createBroker()
    answer = () => new HttpResponse('forbidden', { status: 403 })
    const response = await createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/secret')
    expect([response.status, await response.text()]).toEqual([403, 'forbidden'])
    expect(received).toHaveLength(1)
    expect(fetchToken).toHaveBeenCalledTimes(1)
  })

  const form = new FormData()
  form.set('field', 'text in a form')
  test.each<[string, BodyInit, string]>([
    ['a string', 'text', 'text'],
    ['a Blob', new Blob(['text of a blob']), 'text of a blob'],
    ['URLSearchParams', new URLSearchParams({ a: '1', b: '2' }), 'a=1&b=2'],
    ['a buffer', new TextEncoder().encode('bytes'), 'bytes'],
    ['FormData', form, 'text in a form'],
  ])('sends %s whole, twice', async (_, body, expected) => {
    const { source } = createBroker()
    revoke('wyu_1')
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const response = await weavyFetch('/api/messages', { method: 'POST', body })
    expect(response.status).toBe(200)
    expect(received).toHaveLength(2)
    for (const request of received) expect(request.body).toContain(expected)
  })

  test('sends the body of a Request whole, twice, also of one that was made of a stream', async () => {
    const { source } = createBroker()
    revoke('wyu_1')
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const post = (body: string | ReadableStream) =>
      new Request(`${WEAVY}/api/messages`, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect((await weavyFetch(post('of a Request'))).status).toBe(200)
    revoke('wyu_2')
    expect((await weavyFetch(post(new Blob(['of a stream']).stream()))).status).toBe(200)
    expect(received.map(({ body }) => body)).toEqual([
      'of a Request',
      'of a Request',
      'of a stream',
      'of a stream',
    ])
  })

  test('refuses to send a stream again in place of an empty body, and has a new token for the next call', async () => {
    const { source } = createBroker()
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const upload = () =>
      weavyFetch('/api/blobs', {
        method: 'POST',
        body: new Blob(['stream']).stream(),
        duplex: 'half',
      } as RequestInit)
    expect((await upload()).status).toBe(200)
    revoke('wyu_1')
    await expect(upload()).rejects.toThrow(/stream cannot be sent again/)
    expect((await upload()).status).toBe(200)
    expect(received.map(({ authorization, body }) => [authorization, body])).toEqual([
      ['Bearer wyu_1', 'stream'],
      ['Bearer wyu_1', 'stream'],
      ['Bearer wyu_2', 'stream'],
    ])
  })

  test.each([
    ['a plain object', { Authorization: 'Bearer wyu_mine' }],
    ['a Headers object', new Headers({ authorization: 'Basic x' })],
  ])('refuses the caller’s own Authorization in %s, without asking for a token', async (_, headers) => {
    const { source, fetchToken } = createBroker()
    const call = createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/user', { headers })
    await expect(call).rejects.toThrow(TypeError)
    await expect(call).rejects.toThrow(/Authorization/)
    await expect(call).rejects.not.toThrow(/wyu_mine/)
    expect(fetchToken).not.toHaveBeenCalled()
  })

  test.each([
    'https://elsewhere.example/api/user',
    'http://weavy.example/api/user',
    'https://weavy.example:8443/api/user',
    'https://weavy.example.elsewhere.example/',
    '//elsewhere.example/api/user',
    '\\\\elsewhere.example/api/user',
    'data:text/plain,x',
  ])('refuses %s, without asking for a token', async (url) => {
    const { source, fetchToken } = createBroker()
    const call = createAuthorizedFetch(source, { weavyUrl: WEAVY })(url)
    await expect(call).rejects.toThrow('only requests to https://weavy.example are sent')
    expect(fetchToken).not.toHaveBeenCalled()
  })

  test('rejects with the TokenError when there is no token to begin with', async () => {
    const { source } = createBroker()
    source.setUser(null)
    const call = createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/user')
    await expect(call).rejects.toBeInstanceOf(TokenError)
    await expect(call).rejects.toMatchObject({ code: 'signed_out' })
    expect(received).toEqual([])
  })

  test('answers with the 401, body and all, when only the refresh fails', async () => {
    const { source, fetchToken } = createBroker()
    await source.getToken()
    fetchToken.mockRejectedValue(new TokenError('signed_out', 'Sign in again.', { status: 401 }))
    revoke('wyu_1')
    const response = await createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/user')
    expect([response.status, await response.text()]).toEqual([401, 'refused'])
    expect(received).toHaveLength(1)
  })

  describe('belongs to the user for whom it began', () => {
    const others = {
      "setUser('another')": (source: TokenSource) => source.setUser('another'),
      'setUser(null)': (source: TokenSource) => source.setUser(null),
      'clear()': (source: TokenSource) => source.clear(),
    }
    const post = (source: TokenSource) =>
      createAuthorizedFetch(source, { weavyUrl: WEAVY })('/api/messages', { method: 'POST', body: 'mine' })

    test.each(Object.entries(others))(
      'after %s at any microtask of a call it is superseded, and nothing more is sent',
      async (_, end) => {
        for (let microtasks = 0; microtasks < 30; microtasks++) {
          const { source } = createBroker()
          if (microtasks % 2) await source.getToken()
          received = []
          revoke('wyu_1')
          const call = post(source)
          call.catch(() => {})
          for (let n = 0; n < microtasks; n++) await undefined
          end(source)
          await expect(call).rejects.toMatchObject({ code: 'superseded' })
          expect(bearers().filter((bearer) => bearer !== 'Bearer wyu_1')).toEqual([])
        }
      },
    )

    test.each([401, 403, 200])(
      'a late %i is no answer, and asks the new user’s broker for nothing',
      async (status) => {
        const { source, fetchToken } = createBroker()
        answer = () => {
          source.setUser('another')
          return new HttpResponse(null, { status })
        }
        await expect(post(source)).rejects.toMatchObject({ code: 'superseded' })
        expect(bearers()).toEqual(['Bearer wyu_1'])
        expect(fetchToken).toHaveBeenCalledTimes(1)
      },
    )

    test.each([undefined, new AbortController().signal])(
      'the request that is on its way is aborted, with a signal of the caller’s or without (%s)',
      async (signal) => {
        const { source } = createBroker()
        const fetch = vi.fn<typeof globalThis.fetch>(() => new Promise(() => {}))
        const call = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })('/api/user', {
          signal: signal ?? null,
        })
        call.catch(() => {})
        await vi.waitUntil(() => fetch.mock.calls.length)
        expect(fetch.mock.calls[0]?.[1]?.signal?.aborted).toBe(false)
        source.setUser('bob')
        expect(fetch.mock.calls[0]?.[1]?.signal?.aborted).toBe(true)
      },
    )

    test('also through a fetch that does not know signals', async () => {
      const { source, fetchToken } = createBroker()
      const fetch = vi.fn(async () => {
        source.setUser('another')
        return new Response(null, { status: 401 })
      })
      const call = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })('/api/user')
      await expect(call).rejects.toMatchObject({ code: 'superseded' })
      expect(fetch).toHaveBeenCalledTimes(1)
      expect(fetchToken).toHaveBeenCalledTimes(1)
    })

    test('close() ends it with closed', async () => {
      const { source } = createBroker()
      answer = () => {
        source.close()
        return new HttpResponse(null)
      }
      await expect(post(source)).rejects.toMatchObject({ code: 'closed' })
    })
  })

  describe('takes what it was given at the call', () => {
    test('a URL object that the app uses again takes no token elsewhere', async () => {
      const { source } = createBroker()
      const url = new URL('/api/messages', WEAVY)
      const fetch = vi.fn(async (..._: Parameters<typeof globalThis.fetch>) => {
        url.href = 'https://elsewhere.example/steal'
        return new Response(null, { status: 401 })
      })
      await createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })(url)
      expect(fetch.mock.calls.map(([sent]) => sent)).toEqual(Array(2).fill(`${WEAVY}/api/messages`))
    })

    test('headers and bodies that the app changes afterwards are sent as they were', async () => {
      revoke('wyu_1')
      const change = {
        form: new FormData(),
        search: new URLSearchParams({ a: 'before' }),
        buffer: new TextEncoder().encode('before').buffer,
        view: new TextEncoder().encode('xbeforex').subarray(1, 7),
      }
      change.form.set('field', 'before')
      const init = (body: BodyInit) => ({
        method: 'POST',
        body,
        headers: new Headers({ 'x-kept': 'before' }),
      })
      const { source } = createBroker()
      const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
      const calls = Object.values(change).map((body) => {
        const given = init(body)
        const call = weavyFetch('/api/messages', given)
        given.headers.set('x-kept', 'after')
        given.method = 'DELETE'
        given.body = 'after'
        return call
      })
      change.form.set('field', 'after')
      change.search.set('a', 'after')
      new Uint8Array(change.buffer).fill(0)
      change.view.fill(0)
      for (const call of calls) expect((await call).status).toBe(200)
      expect(received).toHaveLength(8)
      for (const { method, body } of received) {
        expect(method).toBe('POST')
        expect(body).toContain('before')
        expect(body).not.toContain('after')
      }
    })
  })

  test('gives a wrapper of fetch a string and an init, and a Request only to a caller who gave one', async () => {
    const { source } = createBroker()
    const seen: unknown[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      seen.push(typeof input === 'string' ? [input, init?.method, init?.body] : (input as Request).method)
      return new Response()
    }
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })
    await weavyFetch('/api/messages', { method: 'POST', body: 'text' })
    await weavyFetch(new URL('/api/messages', WEAVY), { method: 'POST', body: 'text' })
    await weavyFetch('/api/messages', new Request(WEAVY, { method: 'DELETE' }))
    await weavyFetch(new Request(`${WEAVY}/api/messages`, { method: 'PUT', body: 'text' }))
    const posted = [`${WEAVY}/api/messages`, 'POST', 'text']
    expect(seen).toEqual([posted, posted, [`${WEAVY}/api/messages`, 'DELETE', null], 'PUT'])
  })

  test('leaves the HTTP cache out, unless the caller wants it', async () => {
    const { source } = createBroker()
    const modes: unknown[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      modes.push((init ?? (input as Request)).cache)
      return new Response()
    }
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })
    await weavyFetch('/api/user')
    await weavyFetch(new Request(`${WEAVY}/api/user`))
    await weavyFetch('/api/user', { cache: 'force-cache' })
    expect(modes).toEqual(['no-store', 'no-store', 'force-cache'])
  })

  test('tells onRefused of a 401, and of nothing else', async () => {
    const onRefused = vi.fn()
    let issued = 0
    const source = createTokenSource({
      fetchToken: async () => ({ access_token: `wyu_${++issued}`, expires_in: 3600 }),
      onRefused,
    })
    onTestFinished(source.close)
    revoke('wyu_1')
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    await weavyFetch('/api/user')
    answer = () => new HttpResponse(null, { status: 403 })
    await weavyFetch('/api/user')
    expect(onRefused).toHaveBeenCalledExactlyOnceWith({ status: 401, from: 'fetch' })
  })

  test('sends again for a signal like that of React Native, without reason and throwIfAborted', async () => {
    const { source } = createBroker()
    revoke('wyu_1')
    vi.stubGlobal('AbortSignal', { any: undefined })
    onTestFinished(() => void vi.unstubAllGlobals())
    const { signal } = new PolyfilledAbortController()
    expect('throwIfAborted' in signal).toBe(false)
    const seen: (string | null)[] = []
    const fetch = async (_: unknown, init: RequestInit = {}) => {
      seen.push(new Headers(init.headers).get('authorization'))
      return new Response(null, { status: seen.length > 1 ? 200 : 401 })
    }
    const weavyFetch = createAuthorizedFetch(source, {
      weavyUrl: WEAVY,
      fetch: fetch as typeof globalThis.fetch,
    })
    const response = await weavyFetch('/api/user', { signal: signal as AbortSignal })
    expect(response.status).toBe(200)
    expect(seen).toEqual(['Bearer wyu_1', 'Bearer wyu_2'])
  })

  test('rejects with the reason of the caller’s signal, while it waits for a token, for Weavy and for a new token', async () => {
    const { source, fetchToken } = createBroker()
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY })
    const abortWhen = async (asked: () => boolean) => {
      const abort = new AbortController()
      const reason = new Error('the caller left')
      const call = weavyFetch('/api/user', { signal: abort.signal })
      call.catch(() => {})
      await vi.waitUntil(asked, { interval: 1 })
      abort.abort(reason)
      await expect(call).rejects.toBe(reason)
    }
    const never = () => new Promise<never>(() => {})

    fetchToken.mockImplementationOnce(never)
    await abortWhen(() => fetchToken.mock.calls.length === 1)
    expect(received).toHaveLength(0)

    answer = never
    await abortWhen(() => received.length === 1)

    fetchToken.mockImplementationOnce(never)
    revoke(await source.getToken())
    const asked = fetchToken.mock.calls.length
    await abortWhen(() => fetchToken.mock.calls.length === asked + 1)
    expect(received).toHaveLength(2)
  })

  test('leaves no listener on the source', async () => {
    const { source } = createBroker()
    const open = new Set<unknown>()
    const counted = {
      ...source,
      subscribe: (listener: Parameters<typeof source.subscribe>[0]) => {
        const undo = source.subscribe(listener)
        open.add(undo)
        return () => {
          open.delete(undo)
          undo()
        }
      },
    }
    const weavyFetch = createAuthorizedFetch(counted, { weavyUrl: WEAVY })
    revoke('wyu_1')
    await weavyFetch('/api/user')
    answer = () => HttpResponse.error()
    await expect(weavyFetch('/api/user')).rejects.toThrow(TypeError)
    expect(open.size).toBe(0)
  })

  test('keeps the referrer and the referrer policy of a Request', async () => {
    const { source } = createBroker()
    const fetch = vi.fn(async (..._: Parameters<typeof globalThis.fetch>) => new Response())
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })
    await weavyFetch(new Request(`${WEAVY}/api/user`, { referrer: '', referrerPolicy: 'no-referrer' }))
    expect(fetch.mock.calls[0]?.[0]).toMatchObject({ referrer: '', referrerPolicy: 'no-referrer' })
  })

  test('calls the fetch that it was given', async () => {
    const { source } = createBroker()
    const fetch = vi.fn(async () => new Response('mine'))
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl: WEAVY, fetch })
    expect(await (await weavyFetch('/api/user')).text()).toBe('mine')
    expect(received).toEqual([])
  })
})

test.each([
  'http://weavy.example',
  'https://',
  'https://user:secret@weavy.example',
  // Resolved against the page, these would give the token to it.
  '',
  '/weavy',
  '//weavy.example',
  'weavy.example',
  undefined as unknown as string,
])('refuses %s as weavyUrl at once, naming the option', (weavyUrl) => {
  const { source } = createBroker()
  onTestFinished(() => void vi.unstubAllGlobals())
  vi.stubGlobal('location', new URL('https://app.example/page'))
  expect(() => createAuthorizedFetch(source, { weavyUrl })).toThrow(TypeError)
  expect(() => createAuthorizedFetch(source, { weavyUrl })).toThrow(/^weavyUrl/)
})

describe('redirects, by the fetch of this platform', () => {
  /** Starts a server on a free port; every port is an origin of its own. */
  async function serve(listener: RequestListener): Promise<string> {
    const server: Server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test.each([301, 302, 303, 307, 308])('a %i to another origin goes without the token', async (status) => {
    const { source, fetchToken } = createBroker()
    const elsewhere: IncomingMessage[] = []
    const other = await serve((request, response) => {
      elsewhere.push(request)
      response.writeHead(401).end('sign in here')
    })
    const weavyUrl = await serve((request, response) => {
      expect(request.headers.authorization).toBe('Bearer wyu_1')
      response.writeHead(status, { location: `${other}/file` }).end()
    })
    const response = await createAuthorizedFetch(source, { weavyUrl })('/api/files/1')
    expect(elsewhere).toHaveLength(1)
    expect(elsewhere[0]?.headers.authorization).toBeUndefined()
    expect(JSON.stringify([elsewhere[0]?.rawHeaders, elsewhere[0]?.url])).not.toContain('wyu_')
    // And the 401 of somebody else says nothing about the token.
    expect([response.status, await response.text()]).toEqual([401, 'sign in here'])
    expect(fetchToken).toHaveBeenCalledTimes(1)
  })

  test('a redirect within the environment keeps the token, and its 401 is Weavy’s', async () => {
    const { source } = createBroker()
    const seen: string[] = []
    const weavyUrl = await serve(async (request, response) => {
      seen.push(`${request.url} ${request.headers.authorization} ${await text(request)}`)
      if (request.url === '/old') response.writeHead(307, { location: '/new' }).end()
      else response.writeHead(request.headers.authorization === 'Bearer wyu_1' ? 401 : 200).end()
    })
    const weavyFetch = createAuthorizedFetch(source, { weavyUrl })
    const response = await weavyFetch('/old', { method: 'POST', body: 'body' })
    expect(response.status).toBe(200)
    expect(seen).toEqual([
      '/old Bearer wyu_1 body',
      '/new Bearer wyu_1 body',
      '/old Bearer wyu_2 body',
      '/new Bearer wyu_2 body',
    ])
  })
})
