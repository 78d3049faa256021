import { expect, test, vi } from 'vitest'
import { TokenError } from '../src/index.js'
import { isLongEnough, lifetimeMs, parseToken } from '../src/token.js'

const asked = { wall: 1_700_000_000_000, mono: 1000 }
const DAY_MS = 24 * 3600 * 1000

test.each([
  [3600, 3_600_000],
  [0.5, 500],
  ['3600', 3_600_000],
  [' 60 ', 60_000],
  [0, 0],
  [-1, 0],
  ['-5', 0],
  [30 * 24 * 3600, 30 * DAY_MS],
  [1e20, 1e13],
  [undefined, Number.POSITIVE_INFINITY],
  [null, Number.POSITIVE_INFINITY],
  ['', Number.POSITIVE_INFINITY],
  ['an hour', Number.POSITIVE_INFINITY],
  [Number.NaN, Number.POSITIVE_INFINITY],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  [true, Number.POSITIVE_INFINITY],
  [{}, Number.POSITIVE_INFINITY],
  [[3600], Number.POSITIVE_INFINITY],
])('expires_in %j is %d ms', (expiresIn, ms) => {
  expect(lifetimeMs(expiresIn)).toBe(ms)
})

test('a token is kept as it came, with the moment it was asked for', () => {
  expect(parseToken({ access_token: 'wyu_a.b.c', expires_in: 100, extra: 1 }, asked, true, 10_000)).toEqual({
    value: 'wyu_a.b.c',
    asked,
    lifetimeMs: 100_000,
    freshMs: expect.closeTo(92_500, -4),
    refreshed: true,
  })
})

test.each([
  undefined,
  null,
  '',
  'wyu_1',
  5,
  [],
  {},
  { access_token: null },
  { access_token: '' },
  { token: 'wyu_1' },
])('%j holds no access_token: bad_response', (answer) => {
  expect(() => parseToken(answer, asked, false)).toThrow(
    expect.objectContaining({ code: 'bad_response', name: 'TokenError' }),
  )
})

test.each(['wys_0123456789', 'eyJhbGciOiJIUzI1NiJ9.e30.x', 'Bearer wyu_1', ' wyu_1', 42, { wyu_: 1 }, true])(
  '%j is no user access token: wrong_token, which quotes nothing of it',
  (value) => {
    try {
      parseToken({ access_token: value }, asked, false)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(TokenError)
      const { code, message, cause } = error as TokenError
      expect(code).toBe('wrong_token')
      expect(message).not.toContain(String(value))
      expect(cause).toBeUndefined()
    }
  },
)

test('a leaked API key is named as such, and what to do about it', () => {
  expect(() => parseToken({ access_token: 'wys_secret' }, asked, false)).toThrow(/API key.*Revoke/)
})

test.each([
  ['enough is left', { life: 60, age: 10, refreshed: true }, 50, true],
  ['a millisecond is missing', { life: 60, age: 10, refreshed: true }, 50.001, false],
  ['it was made for us just now', { life: 60, age: 4.9, refreshed: true }, 59, true],
  [
    'it is new to us, but may have been kept by the broker',
    { life: 60, age: 4.9, refreshed: false },
    59,
    false,
  ],
  ['no token lives that long', { life: 60, age: 30, refreshed: true }, 60, true],
  ['one made for us may live longer', { life: 60, age: 30, refreshed: false }, 60, false],
  ['its life is unknown', { life: undefined, age: 1e9, refreshed: false }, 1e9, true],
])('long enough: %s', (_, { life, age, refreshed }, minValidity, answer) => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  const now = { wall: Date.now(), mono: performance.now() }
  const held = parseToken({ access_token: 'wyu_1', expires_in: life }, now, refreshed)
  vi.advanceTimersByTime(age * 1000)
  expect(isLongEnough(held, minValidity * 1000)).toBe(answer)
  vi.useRealTimers()
})
