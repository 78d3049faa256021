import { runInNewContext } from 'node:vm'
import { AbortController as PolyfilledAbortController } from 'abort-controller'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ask } from '../src/ask.js'
import { isTokenError, TokenError } from '../src/errors.js'
import type { TokenRequest } from '../src/types.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const GOOD = { access_token: 'wyu_1', expires_in: 3600 }
const REQUEST = {
  refresh: false,
  rejected: undefined,
  user: undefined,
  held: undefined,
  refused: undefined,
}
const outcome = (fetchToken: (request: TokenRequest) => unknown, abort = new AbortController()) =>
  ask(fetchToken as never, REQUEST, abort, 1000).catch((error) => error)

describe('time', () => {
  test('when the answer is there nobody waits any more, and what the function still does is told', async () => {
    let signal: AbortSignal | undefined
    const seen = await outcome((asked) => {
      signal = asked.signal
      return Promise.resolve(GOOD)
    })
    expect(seen).toEqual(GOOD)
    expect(signal?.aborted).toBe(true)
  })

  test('an answer that does not come is a timeout, and the function is told', async () => {
    let signal: AbortSignal | undefined
    const seen = outcome((asked) => {
      signal = asked.signal
      return new Promise(() => {})
    })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await seen).toMatchObject({
      code: 'timeout',
      message: 'The token broker did not answer within 1000 ms.',
    })
    expect(signal?.aborted).toBe(true)
  })

  test('a body that does not come is a timeout', async () => {
    const seen = outcome(async () => new Response(new ReadableStream()))
    await vi.advanceTimersByTimeAsync(1000)
    expect(await seen).toMatchObject({ code: 'timeout' })
  })

  test('a function that aborts its own request and then throws leaves no rejection unhandled', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const mine = new AbortController()
    const error = await outcome(() => {
      mine.abort()
      throw new Error('and then this')
    }, mine)
    expect(error).toBeInstanceOf(TokenError)
    vi.useRealTimers()
    await new Promise((resolve) => setTimeout(resolve))
    vi.useFakeTimers()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe("React Native's AbortController, without reason and throwIfAborted", () => {
  beforeEach(() => vi.stubGlobal('AbortController', PolyfilledAbortController))

  test('an answer, a timeout and an abort are what they are elsewhere', async () => {
    expect('reason' in new AbortController().signal).toBe(false)
    expect(await outcome(async () => GOOD)).toEqual(GOOD)
    const late = outcome(() => new Promise(() => {}))
    await vi.advanceTimersByTimeAsync(1000)
    expect(await late).toMatchObject({ code: 'timeout' })
    const mine = new AbortController()
    const ended = outcome(() => new Promise(() => {}), mine)
    mine.abort()
    expect(await ended).toBeInstanceOf(TokenError)
  })
})

describe('a Response', () => {
  test('is read by the rules of tokenUrl', async () => {
    expect(await outcome(async () => Response.json(GOOD))).toEqual(GOOD)
    expect(await outcome(async () => new Response(null, { status: 401 }))).toMatchObject({
      code: 'signed_out',
      message: 'The token broker knows no signed-in user. Sign in again.',
      status: 401,
    })
    expect(await outcome(async () => new Response('<html>'))).toMatchObject({ code: 'bad_response' })
  })

  test('of a mock without headers is understood', async () => {
    expect(await outcome(async () => ({ ok: true, status: 200, json: async () => GOOD }))).toEqual(GOOD)
    expect(await outcome(async () => ({ json: async () => GOOD }))).toEqual(GOOD)
    expect(await outcome(async () => ({ ok: false, status: 401, json: async () => ({}) }))).toMatchObject({
      code: 'signed_out',
    })
  })

  test('whose body breaks off is a broken network', async () => {
    const broken = new TypeError('terminated')
    const response = { status: 200, ok: true, text: () => Promise.reject(broken), json: async () => ({}) }
    expect(await outcome(async () => response)).toMatchObject({ code: 'unreachable', cause: broken })
  })

  test('of whatever address is the answer of the broker', async () => {
    const response = Object.assign(new Response(null, { status: 404 }), {})
    Object.defineProperty(response, 'url', { value: 'https://broker.example/v2' })
    expect(await outcome(async () => response)).toMatchObject({
      code: 'broker_error',
      message: 'There is no token broker at this address (404).',
    })
  })

  test('that the app has read is named', async () => {
    const response = Response.json(GOOD)
    await response.json()
    expect(await outcome(async () => response)).toMatchObject({
      code: 'bad_response',
      message: 'fetchToken returned a Response that it had read.',
    })
  })

  test.each([
    ['opaque', { type: 'opaque', status: 0, ok: false, json: async () => ({}) }, 'unreachable'],
    ['a redirect', { type: 'opaqueredirect', status: 0, ok: false, json: async () => ({}) }, 'signed_out'],
  ])('that is %s is %s', async (_, response, code) => {
    expect(await outcome(async () => response)).toMatchObject({ code })
  })
})

test.each([
  ['token', '{"token":{"toString":1}}'],
  ['accessToken', '{"accessToken":{"toString":1}}'],
  ['message', '{"message":{"toString":1}}'],
])('any JSON whatever in %s is understood', async (_, text) => {
  const answer = await outcome(async () => new Response(text))
  expect(answer instanceof TokenError ? answer.code : answer).toEqual(
    text.includes('message') ? 'bad_response' : JSON.parse(text),
  )
})

test.each([
  [' \n<!doctype html>', 'HTML came in place of JSON. Does tokenUrl lead to the token broker?'],
  ['a < b', 'The token broker answered with something that is not JSON.'],
  ['the token is wyu_1', 'The token broker answered with something that is not JSON.'],
])('the text %j is told as what it is', async (text, message) => {
  expect(await outcome(async () => new Response(text))).toMatchObject({ code: 'bad_response', message })
})

test('what else a good answer holds does not matter', async () => {
  const answer = { ...GOOD, token: 'wyu_2', message: 'welcome' }
  expect(await outcome(async () => answer)).toBe(answer)
})

test('a bug in our own reading is unknown, not a broken network', async () => {
  const answer = {
    get access_token() {
      throw new TypeError('x is undefined')
    },
  }
  expect(await outcome(async () => answer)).toMatchObject({
    code: 'bad_response',
    message: 'Unknown error. See its cause.',
  })
})

describe('an error of fetchToken', () => {
  const thrown = (error: unknown) => outcome(() => Promise.reject(error))
  const headers = { 'retry-after': '7' }

  test.each([
    ['status', { status: 401 }],
    ['response.status', { response: { status: 401 } }],
    ['a Response', new Response(null, { status: 401 })],
    ['both, of which the response counts', { status: 500, response: { status: 403 } }],
  ])('with %s is read as that status', async (_, error) => {
    expect(
      await thrown(Object.assign(error instanceof Response ? error : new Error('x'), error)),
    ).toMatchObject({
      code: 'signed_out',
    })
  })

  test.each([
    [new TypeError('x'), 'The token broker could not be reached (network, CORS or CSP).'],
    [{ status: 401 }, 'The token broker knows no signed-in user. Sign in again.'],
    [{ status: 404 }, 'There is no token broker at this address (404).'],
    [new SyntaxError('x'), 'The token broker answered with something that is not JSON.'],
  ])('%j says no more than is known', async (error, message) => {
    expect(await thrown(error)).toMatchObject({ message, retryAfterMs: undefined })
  })

  test.each([
    ['Headers', new Headers(headers)],
    ['an object', headers],
  ])('with Retry-After in %s waits that long', async (_, given) => {
    expect(await thrown({ response: { status: 503, headers: given } })).toMatchObject({
      code: 'broker_error',
      retryAfterMs: 7000,
    })
  })

  test.each(['{"type":{"toString":1}}', '{"type":1}', 'null'])(
    'with %s in its data is its status',
    async (text) => {
      expect(await thrown({ status: 500, data: JSON.parse(text) })).toMatchObject({ code: 'broker_error' })
    },
  )

  test('with a problem of our broker in its data is told by that', async () => {
    const data = { type: 'urn:weavy-token:problem:origin_not_allowed', title: 'T', detail: 'D' }
    for (const error of [{ response: { status: 403, data } }, { status: 403, data }])
      expect(await thrown(error)).toMatchObject({ code: 'broker_error', message: 'T. D' })
  })

  test.each([
    ['a status of 0', { status: 0 }, 'unreachable'],
    ['a status that is no number', { status: 'rejected' }, 'unreachable'],
    ['a status that is a text', { status: '503' }, 'unreachable'],
    ['a redirect that was not followed', { status: 300 }, 'broker_error'],
    ['a success that could not be parsed', { status: 200 }, 'bad_response'],
    ['a SyntaxError of another frame', runInNewContext('new SyntaxError("x")'), 'bad_response'],
    ['an error of another frame', runInNewContext('new TypeError("x")'), 'unreachable'],
  ])('%s', async (_, error, code) => {
    expect(await thrown(error)).toMatchObject({ code })
  })

  test('that is a TokenError is kept, of a second copy of this library, too', async () => {
    vi.resetModules()
    const copy = await import('../src/errors.js')
    const foreign = new copy.TokenError('signed_out', 'x')
    expect(foreign).not.toBeInstanceOf(TokenError)
    expect(isTokenError(foreign)).toBe(true)
    expect(await thrown(foreign)).toBe(foreign)
  })

  test("that only has the name of ours is the app's own", async () => {
    const theirs = Object.assign(new Error('x'), { name: 'TokenError', code: 'E_AUTH', status: 401 })
    expect(await thrown(theirs)).toMatchObject({ code: 'signed_out', cause: theirs })
    const ours = { name: 'TokenError', code: 'timeout', retryAfterMs: undefined }
    expect(isTokenError(ours)).toBe(true)
    for (const other of [{ name: 'Error' }, { code: 7 }])
      expect(isTokenError({ ...ours, ...other })).toBe(false)
  })
})

describe('a cause', () => {
  const causeOf = async (error: unknown) => ((await outcome(() => Promise.reject(error))) as Error).cause
  const deep = (text: string) => new Error('a', { cause: new Error('b', { cause: { c: [text] } }) })

  test('is kept while nothing that hangs on it quotes a token', async () => {
    const error = deep('wyx_5ecret')
    Object.assign(error, { self: error })
    expect(await causeOf(error)).toBe(error)
  })

  test.each([
    ['its message', new Error('wyu_5ecret')],
    ['its name', Object.assign(new Error('x'), { name: 'wys_5ecret' })],
    ['a cause of its cause', deep('{"access_token":"wyu_5ecret"}')],
    ['one of several errors', new AggregateError([new Error('x'), new Error('wyu_5ecret')])],
    [
      'headers',
      Object.assign(new Error('x'), { headers: new Headers({ authorization: 'Bearer wyu_5ecret' }) }),
    ],
    ['a map', Object.assign(new Error('x'), { cache: new Map([['wyu_5ecret', 1]]) })],
    [
      'what cannot be read',
      Object.defineProperty(new Error('x'), 'secret', {
        get() {
          throw new Error('no')
        },
      }),
    ],
    [
      'more than can be looked at',
      Object.assign(new Error('x'), { all: Array.from({ length: 600 }, () => ({})) }),
    ],
  ])('is dropped for %s', async (_, error) => {
    expect(await causeOf(error)).toBeUndefined()
  })

  test.each([
    [498, true],
    [499, false],
  ])('is looked through 500 objects deep, itself and %i others in a list (%j)', async (length, isKept) => {
    const error = Object.assign(new Error('x'), { all: Array.from({ length }, () => ({})) })
    expect(await causeOf(error)).toBe(isKept ? error : undefined)
  })

  test('that is no error is none', async () => {
    for (const error of ['down', 7, null, { status: 500 }]) expect(await causeOf(error)).toBeUndefined()
  })
})
