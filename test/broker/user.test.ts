import { HTTPException } from 'hono/http-exception'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createTokenBroker, toUid } from '../../src/broker/index.js'
import { USER_TIMEOUT_MS } from '../../src/broker/signed-in-user.js'
import { REQUEST_TIMEOUT_MS } from '../../src/broker/token-broker.js'
import { createDeferred } from '../deferred.js'
import { ask, createTestBroker, digestOf, TOKEN_URL } from './ask.js'
import { API_KEY, createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

function problem(status: number) {
  return {
    type: expect.stringMatching(/^urn:weavy-token:problem:\w+$/),
    title: expect.any(String),
    status,
    detail: expect.any(String),
  }
}

describe('nobody is signed in', () => {
  test.each([null, undefined, false, ''])('user() gives %j: 401', async (nobody) => {
    const { broker, lines } = createTestBroker({ user: () => nobody as null })
    const { status, headers, body } = await ask(broker)
    expect(status).toBe(401)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual(problem(401))
    expect(lines).toEqual([])
    expect(weavy.calls).toEqual([])
  })
})

describe('user() is asked', () => {
  test('with the request as it came, and with what fetch was given besides', async () => {
    const seen: unknown[] = []
    const broker = createTokenBroker({
      weavyUrl: WEAVY_URL,
      apiKey: API_KEY,
      user: (request, context: { session: string }) => {
        seen.push(request, context)
        return null
      },
    })
    const request = new Request('https://app.example/api/token', { headers: { Cookie: 'sid=1' } })
    const context = { session: 'x' }
    await broker.fetch(request, context)
    expect(seen).toEqual([request, context])
    expect(seen[0]).toBe(request)
  })

  test('for each request, so a session that ended gets no stored token', async () => {
    const user = vi.fn().mockReturnValueOnce({ uid: 'u1' }).mockReturnValueOnce(null)
    const { broker } = createTestBroker({ user })
    expect((await ask(broker)).status).toBe(200)
    expect((await ask(broker)).status).toBe(401)
  })
})

describe('user() fails', () => {
  test.each([
    [
      'throws',
      () => {
        throw new RangeError('wyu_secret u256 sid=secret')
      },
    ],
    ['rejects', () => Promise.reject(new RangeError('wyu_secret u256 sid=secret'))],
    [
      'throws with a message of several lines',
      () => {
        throw new RangeError('bad\n    at secret\n    at u256')
      },
    ],
    [
      'throws an error without a message',
      () => {
        throw new RangeError()
      },
    ],
  ])('%s: 500, and a log line that says what and where but quotes nothing', async (_, user) => {
    const { broker, lines } = createTestBroker({ user })
    const { status, body } = await ask(broker)
    expect(status).toBe(500)
    expect(body).toEqual(problem(500))
    expect(lines).toEqual([
      expect.stringMatching(/^weavy-token broker: user\(\) threw RangeError at .*user\.test\.ts:\d+:\d+\)?$/),
    ])
    expect(`${lines}${JSON.stringify(body)}`).not.toMatch(/secret|u256/)
  })

  test.each([
    ['a string', 'secret', 'a value that is no Error (string)'],
    ['nothing', undefined, 'a value that is no Error (undefined)'],
    [
      'an error that lies about itself',
      Object.assign(new Error('x'), { name: 'secret u256', stack: 'secret\n    at secret' }),
      'Error',
    ],
    [
      'an error that cannot be read',
      Object.assign(new Error('x'), { stack: Object.create(null) }),
      'a value that cannot be read',
    ],
    ['an error without a stack', Object.assign(new Error('x'), { stack: undefined }), 'Error'],
    [
      'an error whose stack holds more than frames',
      Object.assign(new Error('x'), { stack: 'Error: x\nmet secret at secret\n    at there (a.js:1:1)' }),
      'Error at there (a.js:1:1)',
    ],
  ])('throws %s: 500, and the log says no more than what it is', async (_, thrown, named) => {
    const { broker, lines } = createTestBroker({ user: () => Promise.reject(thrown) })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([`weavy-token broker: user() threw ${named}`])
  })

  test('the log says what is wrong with an id that toUid() refused', async () => {
    const { broker, lines } = createTestBroker({ user: () => ({ uid: toUid('secret id') }) })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringMatching(/uid.*white space/)])
  })

  test.each([
    ['digits only', { uid: '256' }, /digits/],
    ['a signed number', { uid: '-1' }, /signed number/],
    ['white space', { uid: 'secret id' }, /white space/],
    ['a control character', { uid: 'secret\u0007' }, /control character/],
    ['a path', { uid: '../../secret' }, /slash/],
    ['a relative path', { uid: '..' }, /relative/],
    ['here', { uid: '.' }, /relative/],
    ['nothing', { uid: '' }, /empty/],
    ['a number', { uid: 256 }, /uid of user\(\) must be a string.*toUid\(id\)/],
    ['a bigint', { uid: 256n }, /uid of user\(\) must be a string.*toUid\(id\)/],
    ['no uid', { name: 'secret' }, /object with a uid/],
    ['no object', 'u256secret', /object with a uid/],
    ['a Response', new Response('secret'), /to be thrown/],
  ])('gives a user whose uid is %s: 500, and Weavy is not asked', async (_, user, reason) => {
    const { broker, lines } = createTestBroker({ user: () => user as { uid: string } })
    const { status, body } = await ask(broker)
    expect(status).toBe(500)
    expect(body).toEqual(problem(500))
    expect(lines).toEqual([expect.stringMatching(reason)])
    expect(`${lines}${JSON.stringify(body)}`).not.toMatch(/secret/)
    expect(weavy.calls).toEqual([])
  })

  test.each([[5], [''], [{}], ['x'.repeat(257)]])('gives a user whose sub is %j: 500', async (sub) => {
    const { broker, lines } = createTestBroker({ user: () => ({ uid: 'u1', sub }) as { uid: string } })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringMatching(/sub of user\(\).*1 to 256 characters/)])
    expect(weavy.calls).toEqual([])
  })

  test.each([
    [null, digestOf('u1')],
    ['x', 'x'],
    ['x'.repeat(256), 'x'.repeat(256)],
  ])('gives a user whose sub is %j: that is fine', async (sub, answered) => {
    const { broker } = createTestBroker({ user: () => ({ uid: 'u1', sub }) as { uid: string } })
    expect((await ask(broker)).body.sub).toBe(answered)
  })

  test.each([
    ['a bigint', { uid: 'u1', metadata: { id: 1n } }],
    [
      'a cycle',
      {
        uid: 'u1',
        get metadata() {
          return this
        },
      },
    ],
  ])('gives a profile with %s: 500, and Weavy is not asked', async (_, user) => {
    const { broker, lines } = createTestBroker({ user: () => user })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringMatching(/JSON/)])
    expect(weavy.calls).toEqual([])
  })
})

describe('user() hangs', () => {
  afterEach(() => vi.useRealTimers())

  test('and Weavy, too: together they stay below the 10 s of a page, and the token is there for the next request', async () => {
    vi.useFakeTimers()
    const waiting = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
    const user = vi.fn(async () => {
      if (user.mock.calls.length === 1) await waiting(5_500)
      return { uid: 'u1' }
    })
    const fetch = async () => {
      await waiting(5_500)
      return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
    }
    const { broker, lines } = createTestBroker({ user, fetch })
    const started = Date.now()
    const answeredAt = ask(broker).then((reply) => ({ reply, ms: Date.now() - started }))
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await answeredAt).toEqual({
      reply: expect.objectContaining({ status: 504 }),
      ms: REQUEST_TIMEOUT_MS,
    })
    expect(REQUEST_TIMEOUT_MS).toBeLessThan(10_000)
    expect(lines).toEqual([expect.stringContaining(`within ${REQUEST_TIMEOUT_MS} ms`)])
    expect((await ask(broker)).body.access_token).toBe('wyu_1')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('504 after its time, and what it does later is ignored', async () => {
    vi.useFakeTimers()
    const late = createDeferred<null>()
    const { broker, lines } = createTestBroker({ user: () => late.promise })
    const reply = ask(broker)
    await vi.advanceTimersByTimeAsync(USER_TIMEOUT_MS)
    expect(await reply).toMatchObject({ status: 504, body: problem(504) })
    expect(lines).toEqual([expect.stringMatching(/user\(\) did not settle/)])
    late.reject(new Error('late'))
    await vi.runAllTimersAsync()
    expect(lines).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('user() throws what frameworks throw', () => {
  class UnauthorizedError extends Error {
    status = 401
    statusCode = 401
  }

  test.each([
    ['an error with status 401, as http-errors makes it', new UnauthorizedError('secret'), 401],
    [
      'an error with statusCode 401, as h3 makes it',
      Object.assign(new Error('secret'), { statusCode: 401 }),
      401,
    ],
    ['an error with status 403', Object.assign(new Error('secret'), { status: 403 }), 403],
    ['an HTTPException of Hono', new HTTPException(401), 401],
    ['an HTTPException of Hono for a teapot', new HTTPException(418), 418],
  ])('%s: the answer has that status, and the log nothing', async (_, thrown, status) => {
    const { broker, lines } = createTestBroker({ user: () => Promise.reject(thrown) })
    const response = await broker.fetch(new Request(TOKEN_URL))
    expect(response.status).toBe(status)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).not.toContain('secret')
    expect(lines).toEqual([])
  })

  test('an HTTPException of Hono with a response of its own: that is the answer', async () => {
    const res = new Response('{"own":true}', { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } })
    const { broker } = createTestBroker({ user: () => Promise.reject(new HTTPException(401, { res })) })
    const { status, headers, body } = await ask(broker)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Bearer')
    expect(body).toEqual({ own: true })
  })

  test('the redirect of SvelteKit: it is the answer', async () => {
    const { broker, lines } = createTestBroker({
      user: () => Promise.reject({ status: 303, location: '/sign-in' }),
    })
    const { status, headers } = await ask(broker)
    expect(status).toBe(303)
    expect(headers.get('location')).toBe('/sign-in')
    expect(lines).toEqual([])
  })

  test.each([
    'NEXT_REDIRECT;replace;/sign-in;307;',
    'NEXT_HTTP_ERROR_FALLBACK;401',
    'NEXT_NOT_FOUND',
    'DYNAMIC_SERVER_USAGE',
    'HANGING_PROMISE_REJECTION',
    'NEXT_PRERENDER_INTERRUPTED',
  ])('%s of Next.js goes on to Next.js, unlogged', async (digest) => {
    const thrown = Object.assign(new Error('x'), { digest })
    const { broker, lines } = createTestBroker({ user: () => Promise.reject(thrown) })
    await expect(broker.fetch(new Request(TOKEN_URL))).rejects.toBe(thrown)
    expect(lines).toEqual([])
  })

  test.each([
    ['an error that Next.js has numbered', Object.assign(new Error('x'), { digest: '2412454310' })],
    ['an error with another status', Object.assign(new Error('x'), { status: 500 })],
    ['an error of a database with a status of its own', Object.assign(new Error('x'), { status: 'ER_401' })],
    ['an HttpException of NestJS', Object.assign(new Error('x'), { getResponse: () => 'text' })],
    ['an error with a digest that is no text', Object.assign(new Error('x'), { digest: ['NEXT_NOT_FOUND'] })],
    ['an error with a digest of words', Object.assign(new Error('x'), { digest: 'no NEXT_NOT_FOUND' })],
    ['an object with the status of a redirect and no location', { status: 303 }],
    ['an object with a location', { location: 'here' }],
    ['an object with a location and a status that is none of a redirect', { status: 304, location: 'here' }],
  ])('%s is a failure', async (_, thrown) => {
    const { broker, lines } = createTestBroker({ user: () => Promise.reject(thrown) })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringContaining('user() threw')])
  })
})

describe('user() throws a Response', () => {
  test('it is the answer, but never cached', async () => {
    const { broker, lines } = createTestBroker({
      user: () => {
        throw new Response('{"sign":"in"}', {
          status: 403,
          headers: { 'Cache-Control': 'max-age=60', 'Set-Cookie': 'a=1', 'X-Why': 'ip' },
        })
      },
    })
    const { status, headers, body } = await ask(broker)
    expect(status).toBe(403)
    expect(body).toEqual({ sign: 'in' })
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'set-cookie': 'a=1',
      'x-why': 'ip',
    })
    expect(lines).toEqual([])
  })

  test('also one whose headers cannot be changed', async () => {
    const { broker } = createTestBroker({
      user: () => Promise.reject(Response.redirect('https://app.example/sign-in')),
    })
    const { status, headers } = await ask(broker)
    expect(status).toBe(302)
    expect(headers.get('location')).toBe('https://app.example/sign-in')
  })

  test('keeps what it said about Vary', async () => {
    const { broker } = createTestBroker({
      allowedOrigins: ['https://partner.example'],
      user: () => Promise.reject(new Response(null, { status: 401, headers: { Vary: 'Cookie' } })),
    })
    expect((await ask(broker)).headers.get('vary')).toBe('Cookie, Origin, Cookie, Authorization')
  })

  test.each([
    ['is an error of the network', () => Response.error()],
    [
      'was read before',
      () => {
        const used = new Response('x')
        used.text().catch(() => {})
        return used
      },
    ],
  ])('one that %s is a 500', async (_, thrown) => {
    const { broker, lines } = createTestBroker({ user: () => Promise.reject(thrown()) })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringContaining('user() threw a Response that cannot be sent')])
  })
})
