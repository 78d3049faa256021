import { describe, expect, test } from 'vitest'
import { TokenError, type TokenErrorCode } from '../src/index.js'
import {
  consequenceOf,
  freshForMs,
  MAX_STRIKES,
  retryDelayMs,
  slotFreeAt,
  takeSlot,
} from '../src/schedule.js'
import { peakPerMinute } from './world.js'

const HOUR_MS = 3_600_000

test.each([
  ['an hour: 60 s ahead', HOUR_MS, undefined, 0, HOUR_MS - 60_000],
  ['an hour, most jitter: 30 s ahead', HOUR_MS, undefined, 1, HOUR_MS - 30_000],
  ['a minute: the last tenth', 60_000, undefined, 0, 54_000],
  ['a second: the last tenth', 1000, undefined, 0, 900],
  ['30 days: 60 s ahead', 720 * HOUR_MS, undefined, 0, 720 * HOUR_MS - 60_000],
  ['refreshAheadMs', HOUR_MS, 600_000, 0, HOUR_MS - 600_000],
  ['refreshAheadMs is half of the life at most', 60_000, 600_000, 0, 30_000],
  ['no lead', HOUR_MS, 0, 0, HOUR_MS],
  ['an unknown life: never', Number.POSITIVE_INFINITY, 600_000, 0, Number.POSITIVE_INFINITY],
])('refresh point of %s', (_, life, ahead, random, age) => {
  expect(freshForMs(life, ahead, random)).toBe(age)
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
    ['unreachable', error('unreachable'), { waits: true, alone: true, firm: false }],
    ['timeout', error('timeout'), { waits: true, alone: true, firm: false }],
    ['429', error('rate_limited', 429), { waits: true, alone: true, firm: false }],
    ['503', error('broker_error', 503), { waits: true, alone: true, firm: false }],
    ['408', error('broker_error', 408), { waits: true, alone: true, firm: false }],
    ['425', error('broker_error', 425), { waits: true, alone: true, firm: false }],
    ['404', error('broker_error', 404), { waits: false, alone: true, firm: false }],
    ['not JSON', error('bad_response', 200), { waits: false, alone: true, firm: false }],
    ['an API key', error('wrong_token'), { waits: false, alone: true, firm: false }],
    ['offline', error('offline'), { waits: false, alone: false, firm: false }],
    ['signed out', error('signed_out', 401, 5), { waits: false, alone: false, firm: true, delayMs: 30_000 }],
    ['refused', error('rejected'), { waits: true, alone: true, firm: true, delayMs: 1000 }],
    ['Retry-After', error('broker_error', 503, 7000), { waits: true, firm: true, delayMs: 7000 }],
    ['Retry-After of a year', error('broker_error', 503, 4e10), { firm: true, delayMs: HOUR_MS }],
    ['Retry-After of 0', error('rate_limited', 429, 0), { firm: false, delayMs: 1000 }],
  ])('%s', (_, failure, consequence) => {
    expect(consequenceOf(failure, 1, 0)).toMatchObject(consequence)
  })

  test('after too many strikes callers are told at once, and the source cools down for five minutes at most', () => {
    const delays = Array.from({ length: 20 }, (_, i) => {
      const { waits, firm, delayMs } = consequenceOf(error('rejected'), MAX_STRIKES + 1 + i, 1)
      expect({ waits, firm }).toEqual({ waits: false, firm: true })
      return delayMs
    })
    expect(Math.max(...delays)).toBeLessThan(300_000)
    expect(delays).toEqual([...delays].sort((a, b) => a - b))
  })
})

test.each([0, 10, 100, 1000, 2999, 3001])(
  'a request whenever the limit allows, looked at every %i ms, each with a second one: 30 in any 60 s at most',
  (step) => {
    const times: number[] = []
    let paidAt = 0
    for (let now = 0; now < 300_000; now += step || 1) {
      if (now < slotFreeAt(paidAt)) continue
      for (let i = 0; i < 2; i++) {
        paidAt = takeSlot(paidAt, now)
        times.push(now)
      }
    }
    expect(peakPerMinute(times)).toBeLessThanOrEqual(30)
    expect(times.length).toBeGreaterThan(90)
  },
)
