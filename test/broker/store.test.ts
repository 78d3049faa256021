import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { createMemoryStore, STORE_REST_MS, STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import { ask, askForNewToken, askForToken, createTestBroker } from './ask.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A store that works until `breakdown` says how it does not. */
function createFragileStore() {
  const entries = new Map<string, unknown>()
  const calls: string[] = []
  const state: { breakdown?: (() => unknown) | undefined } = {}
  const attempt = (operation: string, work: () => unknown) => async () => {
    calls.push(operation)
    return state.breakdown ? state.breakdown() : work()
  }
  const store: TokenStore = {
    get: (key) => attempt('get', () => entries.get(key))(),
    set: (key, value) => attempt('set', () => entries.set(key, value) && true)(),
    delete: (key) => attempt('delete', () => entries.delete(key))(),
  }
  return { store, entries, calls, state }
}

function createWeavyFetch() {
  let issued = 0
  return vi.fn(async () => Response.json({ access_token: `wyu_${++issued}`, expires_in: 3600 }))
}

function createStage() {
  const fragile = createFragileStore()
  const fetch = createWeavyFetch()
  return { ...fragile, fetch, ...createTestBroker({ store: fragile.store, fetch }) }
}

const hang = () => new Promise<never>(() => {})
const failed = expect.stringMatching(/^weavy-token broker: The token store failed \(/)
const works = 'weavy-token broker: The token store works again.'

describe('a store that fails', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'throws',
      () => {
        throw new Error('secret')
      },
    ],
  ])(
    '%s: every request is served, and the log says so once, and once when it is back',
    async (_, breakdown) => {
      const { broker, state, lines, fetch } = createStage()
      expect(await askForToken(broker)).toBe('wyu_1')
      state.breakdown = breakdown
      expect(await askForToken(broker)).toBe('wyu_2')
      expect(await askForNewToken(broker)).toBe('wyu_3')
      await broker.forget('u256')
      expect(lines).toEqual([failed])
      expect(lines.join()).not.toMatch(/secret|u256|wyu_/)
      state.breakdown = undefined
      await broker.forget('u256')
      expect(await askForToken(broker)).toBe('wyu_4')
      expect(await askForToken(broker)).toBe('wyu_4')
      expect(lines).toEqual([failed, works])
      expect(fetch).toHaveBeenCalledTimes(4)
    },
  )

  it('throws before it returns a promise: the same', async () => {
    const broken = () => {
      throw new Error('secret')
    }
    const { broker, lines } = createTestBroker({
      store: { get: broken, set: broken, delete: broken },
      fetch: createWeavyFetch(),
    })
    expect(await askForToken(broker)).toBe('wyu_1')
    await expect(broker.forget('u256')).resolves.toBeUndefined()
    expect(lines).toEqual([failed])
  })

  it('Keyv’s way: nothing from get, false from set', async () => {
    const set = vi.fn().mockResolvedValue(false)
    const { broker, lines } = createTestBroker({
      store: { get() {}, set, delete() {} },
      fetch: createWeavyFetch(),
    })
    for (const token of ['wyu_1', 'wyu_2', 'wyu_3']) expect(await askForToken(broker)).toBe(token)
    expect(lines).toEqual([failed])
    set.mockResolvedValue(true)
    await ask(broker)
    expect(lines).toEqual([failed, works])
  })
})

describe('a store that hangs', () => {
  it('costs a request a second at most', async () => {
    const { broker, state } = createStage()
    state.breakdown = hang
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    expect(await reply).toBe('wyu_1')
  })

  it('is left alone for a while, so that it does not cost every request a second', async () => {
    const { broker, state, calls, lines } = createStage()
    state.breakdown = hang
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await reply
    expect(calls).toEqual(['get'])
    for (const token of ['wyu_2', 'wyu_3', 'wyu_4']) expect(await askForToken(broker)).toBe(token)
    expect(calls).toEqual(['get'])
    expect(lines).toEqual([failed])
  })

  it('is tried by one request at a time until it answers, and used again then', async () => {
    const { broker, state, calls, lines, fetch } = createStage()
    state.breakdown = hang
    const first = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS + STORE_REST_MS)
    await first
    // A probe that hangs as well, and requests that do not wait for it.
    const probe = askForToken(broker)
    expect(await askForToken(broker)).toMatch(/^wyu_/)
    expect(calls).toEqual(['get', 'get'])
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await probe
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    state.breakdown = undefined
    const token = await askForToken(broker)
    const issued = fetch.mock.calls.length
    expect(await askForToken(broker)).toBe(token)
    expect(fetch).toHaveBeenCalledTimes(issued)
    expect(lines).toEqual([failed, works])
  })

  it('is back with its first answer, whatever it was asked before', async () => {
    const { broker, state, entries, lines } = createStage()
    await ask(broker)
    const stored = new Map(entries)
    // The connection breaks during a get, and the set after it is queued for ever.
    state.breakdown = () => {
      state.breakdown = hang
      return Promise.reject(new Error('reset'))
    }
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS + STORE_REST_MS)
    await reply
    state.breakdown = undefined
    for (const [key, value] of stored) entries.set(key, value)
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(lines).toEqual([failed, works])
  })

  it('what it does after all when nobody waits any more is ignored', async () => {
    const { broker, state, lines } = createStage()
    let fail: (reason: Error) => void = () => {}
    state.breakdown = () =>
      new Promise((_, reject) => {
        fail = reject
      })
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await reply
    fail(new Error('late'))
    await vi.advanceTimersByTimeAsync(0)
    expect(lines).toEqual([failed])
  })

  it('forget() ends in a second, and is tried also while the store is left alone', async () => {
    const { broker, state, calls } = createStage()
    state.breakdown = hang
    const forgotten = broker.forget('u256')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await forgotten
    const again = broker.forget('u256')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await again
    expect(calls).toEqual(['delete', 'delete'])
  })

  it('the wall clock has no say in how long it is left alone', async () => {
    const { broker, state, calls } = createStage()
    state.breakdown = hang
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await reply
    state.breakdown = undefined
    vi.setSystemTime(Date.now() - 86_400_000)
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    await ask(broker)
    expect(calls).toContain('set')
  })
})

describe('what a store is given', () => {
  it('plain JSON, and a whole number of milliseconds that ends where reuse does', async () => {
    const set = vi.fn()
    const { broker } = createTestBroker({ store: { get() {}, set, delete() {} }, fetch: createWeavyFetch() })
    await ask(broker)
    const [key, value, ttlMs] = set.mock.calls[0] ?? []
    expect(key).toBe('weavy-token:token:https://acme.weavy.test/u256')
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      token: 'wyu_1',
      issuedAt: Date.now(),
      lifetimeMs: 3_600_000,
      replacedAt: null,
    })
    expect(ttlMs).toBe(3_540_000)
  })

  it('nothing that is over at once: Keyv takes 0 for ever', async () => {
    const set = vi.fn()
    const fetch = async () => Response.json({ access_token: 'wyu_1', expires_in: 0.001 })
    const { broker } = createTestBroker({ store: { get() {}, set, delete() {} }, fetch })
    expect((await ask(broker)).status).toBe(200)
    expect(set).not.toHaveBeenCalled()
  })
})

describe('the default store', () => {
  it('is bounded: the least recently used entry gives way', () => {
    const store = createMemoryStore(2)
    store.set('a', 1, 60_000)
    store.set('b', 2, 60_000)
    store.get('a')
    store.set('c', 3, 60_000)
    expect(['a', 'b', 'c'].map((key) => store.get(key))).toEqual([1, undefined, 3])
  })

  it('drops an entry when its time is over, without a timer', async () => {
    await vi.advanceTimersByTimeAsync(1)
    const store = createMemoryStore(2)
    store.set('a', 1, 1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(store.get('a')).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(store.get('a')).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('belongs to one broker', async () => {
    const fetch = createWeavyFetch()
    const [a, b] = [createTestBroker({ fetch }).broker, createTestBroker({ fetch }).broker]
    expect(await askForToken(a)).toBe('wyu_1')
    expect(await askForToken(b)).toBe('wyu_2')
  })
})
