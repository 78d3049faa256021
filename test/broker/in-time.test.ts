import { afterEach, expect, test, vi } from 'vitest'
import { STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import { REQUEST_TIMEOUT_MS } from '../../src/broker/token-broker.js'
import { WEAVY_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { ask, createTestBroker } from './ask.js'

afterEach(() => vi.useRealTimers())

test('a token that came in time is the answer, though the store hangs before and after it', async () => {
  vi.useFakeTimers()
  const hang = () => new Promise<never>(() => {})
  const weavyMs = WEAVY_TIMEOUT_MS - 1
  expect(2 * STORE_TIMEOUT_MS + weavyMs).toBeGreaterThan(REQUEST_TIMEOUT_MS)
  const fetch = async () => {
    await new Promise((resolve) => setTimeout(resolve, weavyMs))
    return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
  }
  const { broker } = createTestBroker({ fetch, store: { get: hang, set: hang, delete: hang } })
  const started = Date.now()
  const reply = ask(broker).then(({ status }) => ({ status, ms: Date.now() - started }))
  await vi.advanceTimersByTimeAsync(20_000)
  const { status, ms } = await reply
  expect(status).toBe(200)
  expect(ms).toBeLessThanOrEqual(REQUEST_TIMEOUT_MS)
  expect(vi.getTimerCount()).toBe(0)
})
