import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toUid } from '../../src/broker/index.js'
import { checkUid } from '../../src/broker/uid.js'

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
    ['-1a', 'u-1a'],
    ['a'.repeat(255), `u${'a'.repeat(255)}`],
  ])('makes of %s the uid %s', (id, uid) => {
    expect(toUid(id)).toBe(uid)
  })

  test('takes another prefix', () => {
    expect(toUid(256, 'tenant7-')).toBe('tenant7-256')
    expect(toUid('5x', '1')).toBe('15x')
  })

  test.each([
    ['empty', '', /takes a string that is not empty, or a safe integer/],
    ['a signed number', -1, /takes no signed number: an id of -1 is nobody/],
    ['a signed number in a string', '-1', /no signed number/],
    ['a number with a plus', '+5', /no signed number/],
    ['a signed bigint', -1n, /no signed number/],
    ['white space', 'ada lovelace', /it contains white space/],
    ['a line break', 'ada\n', /white space/],
    ['a no-break space', 'ada\u00a0l', /white space/],
    ['a control character', 'ada\u0000', /it contains a control character or half a surrogate pair/],
    ['half a surrogate pair', 'ada\ud800', /surrogate pair/],
    ['a slash', 'a/b', /it contains a slash or a backslash/],
    ['a backslash', 'a\\b', /backslash/],
    ['more than 256 characters', 'a'.repeat(256), /it is longer than 256 characters/],
    ['not a number', Number.NaN, /a safe integer/],
    ['a fraction', 1.5, /a safe integer/],
    ['a number that is not exact', 2 ** 53, /a safe integer/],
    ['undefined', undefined as unknown as string, /a safe integer/],
    ['an object', {} as unknown as string, /a safe integer/],
  ])('refuses an id that is or holds %s, and says so', (_, id, message) => {
    expect(() => toUid(id)).toThrow(TypeError)
    expect(() => toUid(id)).toThrow(message)
    expect(() => toUid(id)).toThrow(expect.objectContaining({ name: 'InvalidUidError' }))
  })

  test.each([
    [256, '', /it consists of digits only/],
    [256, '1', /digits only/],
    [256, null as unknown as string, /The prefix of toUid\(\) is a string/],
    [256, '-', /it is a signed number/],
    [256, '+', /signed number/],
    ['.', '', /it is a relative path/],
    ['.', '.', /it is a relative path/],
  ])('refuses %j with the prefix %j, because of what they are together', (id, prefix, message) => {
    expect(() => toUid(id, prefix)).toThrow(TypeError)
    expect(() => toUid(id, prefix)).toThrow(message)
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

test.each([null, 256, true, {}])('%j is no uid, whatever it would be as a string', (uid) => {
  expect(() => checkUid(uid as unknown as string)).toThrow('The uid is not a string. Make it with toUid(id).')
})
