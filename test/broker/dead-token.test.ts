import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TokenBrokerOptions, TokenStore } from '../../src/broker/index.js'
import { ask, createTestBroker } from './ask.js'
import { hearDigests } from './digested.js'

const digested = hearDigests()

beforeEach(() => {
  vi.useFakeTimers()
  vi.advanceTimersByTime(1)
})
afterEach(() => vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A Weavy that takes its time over profiles. */
function createStage(options: Partial<TokenBrokerOptions>, profileMs = 0) {
  let issued = 0
  const fetch = async (_: unknown, init?: RequestInit) => {
    if (init?.method === 'PUT') await sleep(profileMs)
    const { expires_in } = JSON.parse(String(init?.body))
    return Response.json({ access_token: `wyu_${++issued}`, expires_in })
  }
  return createTestBroker({ fetch, ...options })
}

describe('a token that dies before it is sent', () => {
  test.each([
    [1099, { access_token: 'wyu_1', expires_in: 1 }],
    [1100, { access_token: 'wyu_3', expires_in: 10 }],
  ])('while a profile takes %i ms is no answer: another is', async (profileMs, body) => {
    const user = vi.fn(() => ({ uid: 'u256' }))
    const onEvent = vi.fn()
    const { broker, lines } = createStage({ expiresIn: 10, syncProfile: true, user, onEvent }, profileMs)
    await ask(broker)
    await pass(8900)
    user.mockReturnValueOnce({ uid: 'u256', name: 'Ada' } as { uid: string })
    const reply = ask(broker)
    await digested()
    await pass(profileMs)
    expect(await reply).toMatchObject({ status: 200, body })
    expect(onEvent).toHaveBeenCalledTimes(2)
    expect(lines).toEqual([])
  })

  test('in a store that takes longer than tokens live is a problem, and none is sent', async () => {
    const entries = new Map<string, unknown>()
    const store: TokenStore = {
      get: async (key) => entries.get(key),
      set: (key, value) => sleep(900).then(() => void entries.set(key, value)),
      delete: (key) => entries.delete(key),
    }
    const onEvent = vi.fn()
    const { broker, lines } = createStage({ expiresIn: 1, store, onEvent })
    const get = store.get
    store.get = (key) => sleep(100).then(() => get(key))
    const reply = ask(broker)
    await pass(2400)
    expect((await reply).status).toBe(504)
    expect(onEvent).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ type: 'failed', code: 'weavy_timeout' }),
    )
    expect(lines).toEqual([expect.stringMatching(/took longer than the token lives/)])
  })
})
