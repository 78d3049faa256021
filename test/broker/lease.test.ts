import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { REQUEST_TIMEOUT_MS } from '../../src/broker/token-broker.js'
import { LEASE_POLL_MS } from '../../src/broker/user-tokens.js'
import { ask, askForNewToken, askForToken, createTestBroker } from './ask.js'

const SECOND = 1000

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

test('a lease that somebody else has for ever costs one answer, and is one line until one is given again', async () => {
  const { broker, lease, fetch, lines } = createStage()
  const waitInVain = async () => {
    const reply = ask(broker)
    await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS)
    return (await reply).status
  }
  const askLater = async () => {
    await vi.advanceTimersByTimeAsync(SECOND)
    return askForToken(broker)
  }
  expect(await waitInVain()).toBe(504)
  expect(await askLater()).toBe('wyu_1')
  expect(await askForToken(broker)).toBe('wyu_1')
  // From now on `false` proves nothing.
  expect(await askForNewToken(broker)).toBe('wyu_2')
  const told = () => lines.filter((line) => line.includes('store'))
  expect(told()).toEqual([failed])

  lease.mockResolvedValueOnce(true)
  await broker.forget('u256')
  expect(await askForToken(broker)).toBe('wyu_3')
  expect(told()).toEqual([failed, works])
  await broker.forget('u256')
  expect(await waitInVain()).toBe(504)
  expect(fetch).toHaveBeenCalledTimes(3)
  expect(await askLater()).toBe('wyu_4')
  expect(told()).toEqual([failed, works, failed])
})

test('however slow Weavy is, who waits for the lease takes the token that comes, and makes no call', async () => {
  const { broker, entries, fetch, lines } = createStage()
  const other = createStage()
  other.lease.mockResolvedValue(true)
  const reply = ask(broker)
  await vi.advanceTimersByTimeAsync(8 * SECOND)
  await ask(other.broker)
  for (const [key, value] of other.entries) entries.set(key, value)
  await vi.advanceTimersByTimeAsync(LEASE_POLL_MS)
  expect((await reply).status).toBe(200)
  expect(fetch).not.toHaveBeenCalled()
  expect(lines).toEqual([])
})
