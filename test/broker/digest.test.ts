import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digest } from '../../src/broker/digest.js'
import { digestOf } from '../../src/wire.js'
import { runs } from '../effort.js'

const expected = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 22)

test('is the first 22 characters of the base64url SHA-256, around every edge of a block', () => {
  for (let length = 0; length <= 200; length += 1) {
    const text = 'x'.repeat(length)
    expect(digest(text)).toBe(expected(text))
  }
  expect(digest('wyu_'.padEnd(4096, 'å'))).toBe(expected('wyu_'.padEnd(4096, 'å')))
})

test('of any text, and what a page computes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 300 }), async (text) => {
      expect(digest(text)).toBe(expected(text))
      expect(digest(text)).toBe(await digestOf(text))
    }),
    runs(300),
  )
})
