import { createHash } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { createDigests } from '../src/digests.js'

afterEach(() => vi.restoreAllMocks())

const digestOf = (token: string) =>
  createHash('sha256').update(token).digest('base64').slice(0, 22).replaceAll('/', '_').replaceAll('+', '-')

test('the digests of the last eight tokens are kept, and each is made once', async () => {
  const made = vi.spyOn(crypto.subtle, 'digest')
  const digests = createDigests()
  digests.note(undefined)
  expect(digests.of(undefined)).toBeUndefined()
  for (let n = 1; n <= 9; n++) {
    const token = `wyu_${n}`
    digests.note(token)
    await vi.waitUntil(() => digests.of(token), { interval: 1 })
    digests.note(token)
  }
  expect([1, 2, 9].map((n) => digests.of(`wyu_${n}`))).toEqual([
    undefined,
    digestOf('wyu_2'),
    digestOf('wyu_9'),
  ])
  expect(made).toHaveBeenCalledTimes(9)
})
