import { HttpResponse } from 'msw'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MAX_ANSWER_BYTES } from '../../src/broker/exchange.js'
import { MAX_TOKEN_LENGTH, WEAVY_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { DEFAULT_RETRY_AFTER } from '../../src/broker/weavy-failure.js'
import { createDeferred } from '../deferred.js'
import { ask, createTestBroker } from './ask.js'
import { API_KEY, createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

/** What Weavy says about itself, which nobody may read. */
const SECRET_BODY = `{"detail":"secret ${API_KEY} wyu_leaked"}`

const withStatus =
  (status: number, headers = {}) =>
  () =>
    new Response(SECRET_BODY, { status, headers })

async function askOnce(answer: () => Response | Promise<Response>) {
  weavy.next(answer)
  const { broker, lines } = createTestBroker()
  return { ...(await ask(broker)), lines, broker }
}

describe('Weavy fails', () => {
  test.each([
    ['refuses the key', withStatus(401), 502, /refused|401.*apiKey/],
    ['forbids the key', withStatus(403), 502, /403.*apiKey/],
    ['does not know the endpoint', withStatus(404), 502, /404.*weavyUrl/],
    ['does not take the method', withStatus(405), 502, /405.*weavyUrl/],
    ['does not take the user', withStatus(400), 502, /400.*uid/],
    ['does not take the profile', withStatus(422), 502, /422.*profile/],
    ['redirects', withStatus(302, { Location: 'https://evil.example/' }), 502, /redirect.*weavyUrl/],
    [
      'redirects and keeps the method',
      withStatus(308, { Location: '/elsewhere' }),
      502,
      /redirect.*weavyUrl/,
    ],
    ['breaks', withStatus(500), 503, /500/],
    ['is down', withStatus(503), 503, /503/],
    ['is down behind a proxy', withStatus(502), 503, /502/],
    ['limits the rate', withStatus(429), 429, /429/],
    ['answers HTML', () => HttpResponse.html('<h1>secret wyu_leaked</h1>'), 502, /not JSON.*weavyUrl/],
    ['answers nothing', () => new Response(''), 502, /not JSON/],
    ['answers half an answer', () => new Response('{"access_token":"wyu_leaked'), 502, /not JSON/],
    ['answers null', () => HttpResponse.json(null), 502, /no user token/],
    ['answers a string', () => HttpResponse.json('wyu_leaked'), 502, /no user token/],
    ['answers without a token', () => HttpResponse.json({ expires_in: 60 }), 502, /no user token/],
    [
      'answers a token that is none',
      () => HttpResponse.json({ access_token: 'eyJsecret' }),
      502,
      /no user token/,
    ],
    [
      'answers a token that is no string',
      () => HttpResponse.json({ access_token: 42 }),
      502,
      /no user token/,
    ],
    [
      'answers a token that is an object',
      () => HttpResponse.json({ access_token: { toString: 1 } }),
      502,
      /no user token/,
    ],
    [
      'answers a token that fits into no header',
      () => HttpResponse.json({ access_token: `wyu_leaked${'x'.repeat(MAX_TOKEN_LENGTH)}` }),
      502,
      /token is longer than 4096/,
    ],
    [
      'answers a life that is an object',
      () => HttpResponse.json({ access_token: 'wyu_leaked', expires_in: { valueOf: 1 } }),
      502,
      /expires_in/,
    ],
    [
      'answers a life that is true',
      () => HttpResponse.json({ access_token: 'wyu_leaked', expires_in: true }),
      502,
      /expires_in/,
    ],
    [
      'answers more than a token needs',
      () => HttpResponse.json({ access_token: 'wyu_leaked', more: 'x'.repeat(MAX_ANSWER_BYTES) }),
      502,
      /larger than 65536 bytes/,
    ],
    [
      'answers a token with a line break',
      () => HttpResponse.json({ access_token: 'wyu_a\r\nb' }),
      502,
      /no user token/,
    ],
    [
      'answers an API key',
      () => HttpResponse.json({ access_token: API_KEY, expires_in: 60 }),
      502,
      /API key/,
    ],
    [
      'answers a dead token',
      () => HttpResponse.json({ access_token: 'wyu_leaked', expires_in: 0 }),
      502,
      /expires_in/,
    ],
    [
      'answers a negative life',
      () => HttpResponse.json({ access_token: 'wyu_leaked', expires_in: -1 }),
      502,
      /expires_in/,
    ],
    [
      'answers a life that is no number',
      () => HttpResponse.json({ access_token: 'wyu_leaked', expires_in: 'soon' }),
      502,
      /expires_in/,
    ],
  ])(
    '%s: the right status, a problem for the page, a line for the operator, and nothing quoted',
    async (_, answer, status, line) => {
      const reply = await askOnce(answer)

      expect(reply.status).toBe(status)
      expect(reply.headers.get('content-type')).toBe('application/problem+json')
      expect(reply.headers.get('cache-control')).toBe('no-store')
      expect(reply.headers.has('retry-after')).toBe(status === 503 || status === 429)
      expect(reply.body).toEqual({
        type: expect.stringMatching(/^urn:weavy-token:problem:\w+$/),
        title: expect.any(String),
        status,
        detail: expect.any(String),
      })
      expect(reply.lines).toEqual([expect.stringMatching(line)])
      expect(`${reply.lines}${JSON.stringify(reply.body)}${JSON.stringify([...reply.headers])}`).not.toMatch(
        /secret|leaked|wys_the|u256|evil/,
      )
      expect(weavy.calls).toHaveLength(1)
    },
  )

  test('refuses the connection three times: 503, and nothing quoted', async () => {
    weavy.next(
      () => HttpResponse.error(),
      () => HttpResponse.error(),
    )
    const { status, lines } = await askOnce(() => HttpResponse.error())
    expect(status).toBe(503)
    expect(lines).toEqual([expect.stringMatching(/cannot be reached/)])
    expect(weavy.calls).toHaveLength(3)
  })

  test('a failure is not kept: the next request asks again', async () => {
    const { broker } = await askOnce(withStatus(503))
    expect((await ask(broker)).body.access_token).toBe('wyu_1')
  })

  test('a failed refresh leaves the stored token alone', async () => {
    const { broker } = createTestBroker()
    await ask(broker)
    weavy.next(withStatus(503))
    expect((await ask(broker, {}, 'https://app.example/?refresh=true')).status).toBe(503)
    expect((await ask(broker)).body.access_token).toBe('wyu_1')
  })

  test('requests that share a call share its failure, and it is one line in the log', async () => {
    weavy.next(withStatus(500))
    const { broker, lines } = createTestBroker()
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask(broker)))
    expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(503))
    expect(weavy.calls).toHaveLength(1)
    expect(lines).toHaveLength(1)
  })

  test.each([
    [{ code: 'ECONNREFUSED', message: 'secret' }, ' (ECONNREFUSED)'],
    [{ code: 'E'.repeat(40) }, ` (${'E'.repeat(40)})`],
    [{ code: 'E'.repeat(41) }, ''],
    [{ code: 'to secret' }, ''],
    [{ code: 'secret!' }, ''],
    [{ code: ['secret'] }, ''],
    [undefined, ''],
  ])('of a failed connection caused by %j the log has a system code alone', async (cause, named) => {
    const failed = new TypeError('fetch failed secret', { cause })
    const { broker, lines } = createTestBroker({ fetch: () => Promise.reject(failed) })
    expect((await ask(broker)).status).toBe(503)
    expect(lines).toEqual([`weavy-token broker: Issuing a token failed: Weavy cannot be reached${named}.`])
  })

  test.each([undefined, null])('a code of the failure itself will do, with a cause of %s', async (cause) => {
    const failed = Object.assign(new Error('secret', { cause }), { code: 'ECONNRESET' })
    const { broker, lines } = createTestBroker({ fetch: () => Promise.reject(failed) })
    expect((await ask(broker)).status).toBe(503)
    expect(lines).toEqual([
      'weavy-token broker: Issuing a token failed: Weavy cannot be reached (ECONNRESET).',
    ])
  })

  test('the longest token that is taken', async () => {
    const access_token = 'wyu_'.padEnd(MAX_TOKEN_LENGTH, 'x')
    const { status, body } = await askOnce(() => HttpResponse.json({ access_token, expires_in: 60 }))
    expect(status).toBe(200)
    expect(body.access_token).toBe(access_token)
  })

  test('a fetch that throws at once is a failed connection', async () => {
    const { broker } = createTestBroker({
      fetch: () => {
        throw new Error('no network here')
      },
    })
    expect((await ask(broker)).status).toBe(503)
  })

  test('a redirect that a runtime hides behind status 0 is one', async () => {
    const hidden = { ok: false, status: 0, headers: new Headers() } as Response
    const { broker, lines } = createTestBroker({ fetch: async () => hidden })
    expect((await ask(broker)).status).toBe(502)
    expect(lines).toEqual([expect.stringMatching(/redirect/)])
  })
})

describe('Retry-After', () => {
  afterEach(() => vi.useRealTimers())

  test.each([
    ['seconds', '7', '7'],
    ['a date', 'Thu, 01 Jan 2026 00:00:30 GMT', '30'],
    ['a date that has passed', 'Thu, 01 Jan 2026 00:00:00 GMT', '1'],
    ['zero', '0', '1'],
    ['a fraction of seconds', '90.5', '90'],
    ['seconds with a sign', '+60', '60'],
    ['less than nothing', '-3', String(DEFAULT_RETRY_AFTER)],
    ['more than an hour', '999999999', '3600'],
    ['rubbish', 'secret', String(DEFAULT_RETRY_AFTER)],
    ['nothing', undefined, String(DEFAULT_RETRY_AFTER)],
  ])('%s of a 429 and of a 503', async (_, sent, passed) => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:00Z') })
    for (const status of [429, 503]) {
      const { headers } = await askOnce(withStatus(status, sent === undefined ? {} : { 'Retry-After': sent }))
      expect(headers.get('retry-after')).toBe(passed)
    }
  })
})

test('a Retry-After that is a date counts from the Date of its answer, whatever our clock says', async () => {
  const headers = {
    Date: 'Thu, 01 Jan 2026 00:00:00 GMT',
    'Retry-After': 'Thu, 01 Jan 2026 00:00:30 GMT',
  }
  expect((await askOnce(withStatus(429, headers))).headers.get('retry-after')).toBe('30')
})

describe('Weavy hangs', () => {
  afterEach(() => vi.useRealTimers())

  test('before its answer: 504 within 10 s, the request is aborted, the next one starts afresh', async () => {
    vi.useFakeTimers()
    const signals: AbortSignal[] = []
    const fetch = (_: unknown, init?: RequestInit) => {
      if (init?.signal) signals.push(init.signal)
      return signals.length === 1
        ? new Promise<Response>(() => {})
        : Promise.resolve(HttpResponse.json({ access_token: 'wyu_late', expires_in: 60 }))
    }
    const { broker, lines } = createTestBroker({ fetch })
    const started = Date.now()
    const replies = [ask(broker), ask(broker)]
    await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS)
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([504, 504])
    expect(Date.now() - started).toBeLessThan(10_000)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(lines).toEqual([expect.stringMatching(/did not answer within/)])
    expect((await ask(broker)).body.access_token).toBe('wyu_late')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('in the middle of its answer: 504', async () => {
    vi.useFakeTimers()
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    })
    const { broker } = createTestBroker({ fetch: async () => new Response(body) })
    const reply = ask(broker)
    await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS)
    expect((await reply).status).toBe(504)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('longer than the token lives: 504 instead of a dead token', async () => {
    vi.useFakeTimers()
    const late = createDeferred<Response>()
    const { broker, lines } = createTestBroker({ expiresIn: 2, fetch: () => late.promise })
    const reply = ask(broker)
    await vi.advanceTimersByTimeAsync(2_000)
    late.resolve(HttpResponse.json({ access_token: 'wyu_dead', expires_in: 2 }))
    expect((await reply).status).toBe(504)
    expect(lines).toEqual([expect.stringContaining('it took longer than the token lives')])
  })
})
