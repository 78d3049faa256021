import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { REQUEST_TIMEOUT_MS } from '../../src/broker/token-broker.js'
import { LEASE_POLL_MS, LEASE_WAIT_MS } from '../../src/broker/user-tokens.js'
import { ask, askForNewToken, askForToken, createTestBroker } from './ask.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A broker whose store says about leases what the test wants. */
function createStage() {
  const entries = new Map<string, unknown>()
  const lease = vi.fn<NonNullable<TokenStore['lease']>>(async () => false)
  let issued = 0
  const fetch = vi.fn(async () => Response.json({ access_token: `wyu_${++issued}`, expires_in: 3600 }))
  const store: TokenStore = {
    get: async (key) => entries.get(key),
    set: async (key, value) => void entries.set(key, value),
    delete: async (key) => entries.delete(key),
    lease,
  }
  return { lease, fetch, entries, ...createTestBroker({ store, fetch }) }
}

const failed = 'weavy-token broker: The token store failed (lease: taken for too long). Going on without it.'
const works = 'weavy-token broker: The token store works again.'

test('a lease that somebody else has for ever delays a user once, and is one line until one is given again', async () => {
  const { broker, lease, fetch, lines } = createStage()
  expect(LEASE_WAIT_MS + LEASE_POLL_MS).toBeLessThan(REQUEST_TIMEOUT_MS - 4_000)
  const reply = ask(broker)
  await vi.advanceTimersByTimeAsync(LEASE_WAIT_MS - 1)
  expect(fetch).not.toHaveBeenCalled()
  expect(lines).toEqual([])
  await vi.advanceTimersByTimeAsync(LEASE_POLL_MS)
  expect((await reply).body.access_token).toBe('wyu_1')
  expect(await askForToken(broker)).toBe('wyu_1')
  // From now on `false` proves nothing.
  expect(await askForNewToken(broker)).toBe('wyu_2')
  expect(lines).toEqual([failed])

  lease.mockResolvedValueOnce(true)
  await broker.forget('u256')
  expect(await askForToken(broker)).toBe('wyu_3')
  expect(lines).toEqual([failed, works])
  await broker.forget('u256')
  const waiting = ask(broker)
  await vi.advanceTimersByTimeAsync(LEASE_WAIT_MS - 1)
  expect(fetch).toHaveBeenCalledTimes(3)
  await vi.advanceTimersByTimeAsync(LEASE_POLL_MS)
  expect((await waiting).body.access_token).toBe('wyu_4')
  expect(lines).toEqual([failed, works, failed])
})

test('a record that comes while somebody else has the lease is the answer, without a call', async () => {
  const { broker, entries, fetch } = createStage()
  const other = createStage()
  other.lease.mockResolvedValue(true)
  const reply = ask(broker)
  await vi.advanceTimersByTimeAsync(LEASE_WAIT_MS - 2 * LEASE_POLL_MS)
  await ask(other.broker)
  for (const [key, value] of other.entries) entries.set(key, value)
  await vi.advanceTimersByTimeAsync(LEASE_POLL_MS)
  expect((await reply).status).toBe(200)
  expect(fetch).not.toHaveBeenCalled()
})
