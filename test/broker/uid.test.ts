import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toUid } from '../../src/broker/index.js'

describe('toUid', () => {
  test.each([
    [256, 'u256'],
    ['256', 'u256'],
    [256n, 'u256'],
    ['u256', 'uu256'],
    ['auth0|5f7c', 'uauth0|5f7c'],
    ['ada@app.example', 'uada@app.example'],
    ['åsa', 'uåsa'],
    ['..', 'u..'],
  ])('makes of %s the uid %s', (id, uid) => {
    expect(toUid(id)).toBe(uid)
  })

  test('takes another prefix', () => {
    expect(toUid(256, 'tenant7-')).toBe('tenant7-256')
  })

  test.each([
    ['empty', ''],
    ['a signed number', -1],
    ['a signed number in a string', '-1'],
    ['a number with a plus', '+5'],
    ['a signed bigint', -1n],
    ['white space', 'ada lovelace'],
    ['a line break', 'ada\n'],
    ['a no-break space', 'ada\u00a0l'],
    ['a control character', 'ada\u0000'],
    ['half a surrogate pair', 'ada\ud800'],
    ['a slash', 'a/b'],
    ['a backslash', 'a\\b'],
    ['more than 256 characters', 'a'.repeat(256)],
    ['not a number', Number.NaN],
    ['a fraction', 1.5],
    ['a number that is not exact', 2 ** 53],
    ['undefined', undefined as unknown as string],
    ['an object', {} as unknown as string],
  ])('refuses an id that is or holds %s', (_, id) => {
    expect(() => toUid(id)).toThrow(TypeError)
  })

  test('refuses a prefix that does not keep digits from standing alone', () => {
    expect(() => toUid(256, '')).toThrow(TypeError)
    expect(() => toUid(256, '1')).toThrow(TypeError)
    expect(() => toUid(256, null as unknown as string)).toThrow(TypeError)
  })

  test('refuses a prefix that makes a signed number of the id', () => {
    expect(() => toUid(256, '-')).toThrow(TypeError)
    expect(() => toUid(256, '+')).toThrow(TypeError)
  })

  test('keeps the uids that an app has already, with the prefix that they have', () => {
    expect(toUid(1, 'acmeuser-')).toBe('acmeuser-1')
  })

  test('does not quote the id in its error', () => {
    expect(() => toUid('secret id')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })

  test('never gives two ids the same uid, and only uids by Weavy’s rules', () => {
    const id = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.constantFrom('u', '.', '..'),
    )
    fc.assert(
      fc.property(id, id, (a, b) => {
        const uids = [a, b].map((value) => {
          try {
            return toUid(value)
          } catch {
            return undefined
          }
        })
        for (const uid of uids) if (uid !== undefined) expect(uid).toMatch(/^(?=.*\D)\S+$/su)
        if (String(a) !== String(b) && uids[0] !== undefined) expect(uids[0]).not.toBe(uids[1])
      }),
    )
  })
})
