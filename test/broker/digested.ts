import { afterEach, beforeEach, type MockInstance, vi } from 'vitest'
import { settle } from '../settle.js'

/**
 * Digests are made by other threads, for which fake time does not wait. Called once by a file; what it returns waits until
 * all that were asked for have come.
 */
export function hearDigests(): () => Promise<void> {
  let heard: MockInstance<SubtleCrypto['digest']>
  beforeEach(() => {
    heard = vi.spyOn(crypto.subtle, 'digest')
  })
  afterEach(() => heard.mockRestore())
  return async () => {
    for (let known = -1; known !== heard.mock.calls.length; ) {
      known = heard.mock.calls.length
      await Promise.all(heard.mock.results.map(({ value }) => value))
      await settle()
    }
  }
}
