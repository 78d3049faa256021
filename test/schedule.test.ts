import { describe, expect, test } from 'vitest'
import { TokenError, type TokenErrorCode } from '../src/index.js'
import { consequenceOf, freshForMs, MAX_STRIKES, retryDelayMs, strikeDelayMs } from '../src/schedule.js'

const HOUR_MS = 3_600_000

test.each([
  ['an hour: 60 s ahead', HOUR_MS, undefined, 0, 0, HOUR_MS - 60_000],
  ['an hour, most jitter: 30 s ahead', HOUR_MS, undefined, 0, 1, HOUR_MS - 30_000],
  ['a minute: the last tenth', 60_000, undefined, 0, 0, 54_000],
  ['twenty seconds: the last quarter', 20_000, undefined, 0, 0, 15_000],
  ['a second: the last quarter', 1000, undefined, 0, 0, 750],
  ['30 days: 60 s ahead', 720 * HOUR_MS, undefined, 0, 0, 720 * HOUR_MS - 60_000],
  ['a minute, a broker that takes 4 s: twice that, whatever the jitter', 60_000, undefined, 4000, 1, 52_000],
  ['a minute, a broker that takes 50 s: half of the life at most', 60_000, undefined, 50_000, 1, 30_000],
  ['refreshAheadMs', HOUR_MS, 600_000, 0, 0, HOUR_MS - 600_000],
  ['refreshAheadMs, which a slow broker does not change', HOUR_MS, 1000, 9000, 0, HOUR_MS - 1000],
  ['refreshAheadMs is half of the life at most', 60_000, 600_000, 0, 0, 30_000],
  ['no lead', HOUR_MS, 0, 0, 0, HOUR_MS],
  ['an unknown life: never', Number.POSITIVE_INFINITY, 600_000, 0, 0, Number.POSITIVE_INFINITY],
])('refresh point of %s', (_, life, ahead, tookMs, random, age) => {
  expect(freshForMs(life, ahead, tookMs, random)).toBe(age)
})

test('delays grow to a minute; jitter takes off a tenth at most', () => {
  const delays = Array.from({ length: 20 }, (_, i) => retryDelayMs(i + 1, 0))
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(delays[0]).toBe(1000)
  expect(delays.at(-1)).toBe(60_000)
  expect(retryDelayMs(1, 1)).toBe(900)
})

describe('what a failure means', () => {
  const error = (code: TokenErrorCode, status?: number, retryAfterMs?: number) =>
    new TokenError(code, code, { status, retryAfterMs })

  test.each([
    ['unreachable', error('unreachable'), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['timeout', error('timeout'), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['429', error('rate_limited', 429), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['503', error('broker_error', 503), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['408', error('broker_error', 408), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['425', error('broker_error', 425), { holdsCallers: true, retriesUnasked: true, ignoresWake: false }],
    ['404', error('broker_error', 404), { holdsCallers: false, retriesUnasked: true, ignoresWake: false }],
    ['not JSON, with a status of 500', error('bad_response', 500), { holdsCallers: false }],
    [
      'not JSON',
      error('bad_response', 200),
      { holdsCallers: false, retriesUnasked: true, ignoresWake: false },
    ],
    ['an API key', error('wrong_token'), { holdsCallers: false, retriesUnasked: true, ignoresWake: false }],
    ['offline', error('offline'), { holdsCallers: false, retriesUnasked: false, ignoresWake: false }],
    [
      'signed out',
      error('signed_out', 401, 5),
      { holdsCallers: false, retriesUnasked: false, ignoresWake: true, delayMs: 30_000 },
    ],
    [
      'somebody else',
      error('other_user'),
      { holdsCallers: false, retriesUnasked: false, ignoresWake: true, delayMs: 30_000 },
    ],
    [
      'refused',
      error('rejected'),
      { holdsCallers: true, retriesUnasked: true, ignoresWake: true, delayMs: 1000 },
    ],
    [
      'Retry-After',
      error('broker_error', 503, 7000),
      { holdsCallers: true, ignoresWake: true, delayMs: 7000 },
    ],
    ['Retry-After of a year', error('broker_error', 503, 4e10), { ignoresWake: true, delayMs: HOUR_MS }],
    ['Retry-After of 0', error('rate_limited', 429, 0), { ignoresWake: false, delayMs: 1000 }],
  ])('%s', (_, failure, consequence) => {
    expect(consequenceOf(failure, 1, 0)).toMatchObject(consequence)
  })

  test('after too many strikes callers are told at once, and the source cools down for five minutes at most', () => {
    const delays = Array.from({ length: 20 }, (_, i) => {
      const { holdsCallers, ignoresWake, delayMs } = consequenceOf(error('rejected'), MAX_STRIKES + 1 + i, 1)
      expect({ holdsCallers, ignoresWake }).toEqual({ holdsCallers: false, ignoresWake: true })
      return delayMs
    })
    expect(Math.max(...delays)).toBeLessThan(300_000)
    expect(delays[0]).toBeCloseTo(16_500, 5)
    expect(delays).toEqual([...delays].sort((a, b) => a - b))
  })
})

test('two refused tokens are replaced at once, then each takes longer', () => {
  expect([1, 2, 3, 4, 5].map((n) => strikeDelayMs(n, 0))).toEqual([0, 0, 1000, 2000, 2000])
})
