import { expect, test } from 'vitest'
import { TokenError } from '../src/index.js'
import { isLongEnough, lifetimeMs, parseToken, type Token } from '../src/token.js'

const asked = { wall: 5e12, mono: 5e6 }
const parse = (answer: unknown, refresh = false) =>
  parseToken(answer, { sent: asked, refresh }, undefined, asked, 0)
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
  expect(parse({ access_token: 'wyu_a.b.c', expires_in: 100, sub: 'a', extra: 1 }, true)).toEqual({
    value: 'wyu_a.b.c',
    asked,
    lifetimeMs: 100_000,
    freshMs: 90_000,
    refreshed: true,
    sub: 'a',
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
  expect(parse(answer)).toMatchObject({
    code: 'bad_response',
    message: 'The token broker answered without an access_token.',
  })
})

test.each<unknown>([
  'wys_0123456789',
  'eyJhbGciOiJIUzI1NiJ9.e30.x',
  'Bearer wyu_1',
  ' wyu_1',
  'wyu_1\nx-other: header',
  'wyu_ä',
  42,
  { wyu_: 1 },
  { toString: 1 },
  true,
])('%j is no user access token: wrong_token, which quotes nothing of it', (value) => {
  const error = parse({ access_token: value }) as TokenError
  expect(error).toBeInstanceOf(TokenError)
  expect(error.code).toBe('wrong_token')
  const isKey = typeof value === 'string' && value.startsWith('wys_')
  expect(error.message.includes('API key')).toBe(isKey)
  expect(error.message.includes('not a user access token')).toBe(!isKey)
  expect(error.message).not.toContain(typeof value === 'object' ? 'wyu_:' : String(value))
  expect(error.cause).toBeUndefined()
})

test('an answer that throws when it is read is a bad_response', () => {
  const answer = {
    get access_token() {
      throw new Error('wyu_secret')
    },
  }
  expect(parse(answer)).toEqual(new TokenError('bad_response', 'Unknown error. See its cause.'))
})

test.each([undefined, null, '', 5, {}])('a sub of %j is none', (sub) => {
  expect(parse({ access_token: 'wyu_1', sub })).toMatchObject({ sub: undefined })
})

test('a leaked API key is named as such, and what to do about it', () => {
  expect((parse({ access_token: 'wys_secret' }) as TokenError).message).toMatch(/API key.*Revoke/)
})

test.each([
  ['enough is left', { life: 60, age: 10, refreshed: true }, 50, true],
  ['a millisecond is missing', { life: 60, age: 10, refreshed: true }, 50.001, false],
  ['it was made for us just now', { life: 60, age: 4.999, refreshed: true }, 59, true],
  ['it was made for us five seconds ago', { life: 60, age: 5, refreshed: true }, 59, false],
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
  const held = parse({ access_token: 'wyu_1', expires_in: life }, refreshed) as Token
  expect(isLongEnough(held, minValidity * 1000, { wall: asked.wall + age * 1000, mono: asked.mono })).toBe(
    answer,
  )
})
