import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { createMemoryStore, STORE_REST_MS, STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import {
  ask,
  askAfterRefusal,
  askForNewToken,
  askForToken,
  createTestBroker,
  digestOf,
  recordKey,
  SUB,
} from './ask.js'
import { API_KEY } from './scripted-weavy.js'

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
  test.each([
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'throws',
      () => {
        throw new Error('secret')
      },
    ],
  ])(
    '%s: every request is served from the memory of this process, and the log says so once, and once when it is back',
    async (_, breakdown) => {
      const { broker, state, lines, fetch } = createStage()
      expect(await askForToken(broker)).toBe('wyu_1')
      state.breakdown = breakdown
      expect(await askForToken(broker)).toBe('wyu_1')
      expect(await askForNewToken(broker)).toBe('wyu_2')
      expect(await askForToken(broker)).toBe('wyu_2')
      expect(await broker.forget('u256')).toBe(false)
      expect(await askForToken(broker)).toBe('wyu_3')
      expect(lines).toEqual([failed])
      expect(lines.join()).not.toMatch(/secret|u256|wyu_/)
      state.breakdown = undefined
      expect(await broker.forget('u256')).toBe(true)
      expect(await askForToken(broker)).toBe('wyu_4')
      expect(await askForToken(broker)).toBe('wyu_4')
      expect(lines).toEqual([failed, works])
      expect(fetch).toHaveBeenCalledTimes(4)
      await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    },
  )

  const silent = { get() {}, set() {}, delete() {} }
  const reject = () => Promise.reject(new Error('secret'))
  test.each<[string, Partial<TokenStore>]>([
    ['get: an error', { get: reject }],
    ['get: no answer within 1000 ms', { get: hang }],
    ['set: an error', { set: reject }],
    ['set: returned false', { set: () => false }],
    ['set: not there when it was read back', {}],
  ])('the log says what failed: %s', async (reason, broken) => {
    const { broker, lines } = createTestBroker({ store: { ...silent, ...broken }, fetch: createWeavyFetch() })
    const reply = ask(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await reply
    expect(lines).toEqual([`weavy-token broker: The token store failed (${reason}). Going on without it.`])
    vi.clearAllTimers()
  })

  test('throws before it returns a promise: the same', async () => {
    const broken = () => {
      throw new Error('secret')
    }
    const { broker, lines } = createTestBroker({
      store: { get: broken, set: broken, delete: broken },
      fetch: createWeavyFetch(),
    })
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await broker.forget('u256')).toBe(false)
    expect(lines).toEqual([failed])
    vi.clearAllTimers()
  })

  test('Keyv’s way: nothing from get, and false from set', async () => {
    const set = vi.fn().mockResolvedValue(false)
    const { broker, lines } = createTestBroker({
      store: { get() {}, set, delete() {} },
      fetch: createWeavyFetch(),
    })
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForNewToken(broker)).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
    expect(lines).toEqual([failed])
  })

  test('while it fails, a process remembers what the others have stored', async () => {
    const { broker, store, state, fetch } = createStage()
    const other = createTestBroker({ store, fetch })
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForToken(other.broker)).toBe('wyu_1')
    state.breakdown = () => Promise.reject(new Error('gone'))
    expect(await askForToken(other.broker)).toBe('wyu_1')
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  test('only then: what a working store has lost is gone', async () => {
    const { broker, entries } = createStage()
    expect(await askForToken(broker)).toBe('wyu_1')
    entries.clear()
    expect(await askForToken(broker)).toBe('wyu_2')
  })
})

describe('a store that reads but does not write', () => {
  function createReadOnlyStage(says: unknown) {
    const stage = createFragileStore()
    const fetch = createWeavyFetch()
    let isReadOnly = false
    const store: TokenStore = {
      ...stage.store,
      set: (key, value, ttlMs) => (isReadOnly ? says : stage.store.set(key, value, ttlMs)),
      delete: (key) => (isReadOnly ? says : stage.store.delete(key)),
    }
    const test = createTestBroker({ store, fetch })
    function setReadOnly(value: boolean) {
      isReadOnly = value
    }
    return { ...stage, ...test, store, fetch, setReadOnly }
  }

  test.each([
    ['true', true],
    ['nothing', undefined],
    ['false', false],
  ])('and says %s: a replaced token is never given again, and the log says so', async (_, says) => {
    const { broker, setReadOnly, lines, fetch } = createReadOnlyStage(says)
    expect(await askForToken(broker)).toBe('wyu_1')
    setReadOnly(true)
    expect(await askForNewToken(broker)).toBe('wyu_2')
    for (let i = 0; i < 3; i += 1) expect(await askForToken(broker)).toBe('wyu_2')
    expect(await askAfterRefusal(broker, 'wyu_1')).toBe('wyu_3')
    expect(await askAfterRefusal(broker, 'wyu_1')).toBe('wyu_3')
    expect(fetch).toHaveBeenCalledTimes(3)
    expect(lines).toEqual([failed])
  })

  test('when it writes again it gets what it missed, and the others with it', async () => {
    const { broker, store, setReadOnly, lines, fetch } = createReadOnlyStage(true)
    await askForToken(broker)
    setReadOnly(true)
    expect(await askForNewToken(broker)).toBe('wyu_2')
    setReadOnly(false)
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    expect(await askForToken(broker)).toBe('wyu_2')
    await vi.advanceTimersByTimeAsync(0)
    expect(lines).toEqual([failed, works])
    expect(await askForToken(createTestBroker({ store, fetch }).broker)).toBe('wyu_2')
  })

  test('forget() says that the store does not have it, tries again, and what is stored is not given meanwhile', async () => {
    const { broker, store, setReadOnly, fetch, entries } = createReadOnlyStage(true)
    const other = createTestBroker({ store, fetch })
    expect(await askForToken(broker)).toBe('wyu_1')
    setReadOnly(true)
    expect(await broker.forget('u256')).toBe(false)
    expect(entries.get(recordKey())).toMatchObject({ token: 'wyu_1' })
    expect(await askForToken(broker)).toBe('wyu_2')
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    // The other process cannot know.
    expect(await askForToken(other.broker)).toBe('wyu_1')
    setReadOnly(false)
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    expect(await askForToken(other.broker)).not.toBe('wyu_1')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a store that hangs', () => {
  test('costs a request a second at most', async () => {
    const { broker, state } = createStage()
    state.breakdown = hang
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    expect(await reply).toBe('wyu_1')
  })

  test('is left alone for a while, so that it does not cost every request a second', async () => {
    const { broker, state, calls, lines } = createStage()
    state.breakdown = hang
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await reply
    // The record, and what forget() said last.
    expect(calls).toEqual(['get', 'get'])
    for (let i = 0; i < 3; i += 1) expect(await askForToken(broker)).toBe('wyu_1')
    expect(calls).toEqual(['get', 'get'])
    expect(lines).toEqual([failed])
  })

  test('is tried by one request at a time until it answers, and used again then', async () => {
    const { broker, state, calls, lines, fetch } = createStage()
    state.breakdown = hang
    const first = askForToken(broker)
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS + STORE_REST_MS)
    await first
    // A probe that hangs as well, and requests that do not wait for it.
    const probe = askForToken(broker)
    expect(await askForToken(broker)).toMatch(/^wyu_/)
    expect(calls).toEqual(['get', 'get', 'get'])
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

  test('is back with its first answer, whatever it was asked before', async () => {
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

  test('what it does after all when nobody waits any more is ignored', async () => {
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

  test('forget() ends in a second, and is tried also while the store is left alone', async () => {
    const { broker, state, calls } = createStage()
    state.breakdown = hang
    const forgotten = broker.forget('u256')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await forgotten
    const again = broker.forget('u256')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await again
    expect(calls).toEqual(['set', 'delete', 'set', 'delete'])
    vi.clearAllTimers()
  })

  test('the wall clock has no say in how long it is left alone', async () => {
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

test.each(['owner', 'token', 'refused'])(
  'a store gives a record whose %s cannot be read: that is none',
  async (field) => {
    const entries = new Map<string, unknown>()
    const store: TokenStore = {
      get: (key) => entries.get(key),
      set: (key, value) => void entries.set(key, value),
      delete: (key) => entries.delete(key),
    }
    const { broker, lines } = createTestBroker({ store, fetch: createWeavyFetch() })
    await ask(broker)
    const record = { ...(entries.get(recordKey()) as object) }
    Object.defineProperty(record, field, {
      get() {
        throw new Error('secret')
      },
    })
    entries.set(recordKey(), record)
    expect(await askForToken(broker)).toBe('wyu_2')
    expect(lines).toEqual([])
  },
)

describe('what a store is given', () => {
  test('plain JSON, and a whole number of milliseconds that ends where reuse does', async () => {
    const set = vi.fn()
    const { broker } = createTestBroker({ store: { get() {}, set, delete() {} }, fetch: createWeavyFetch() })
    await ask(broker)
    const [key, value, ttlMs] = set.mock.calls[0] ?? []
    expect(key).toBe(recordKey())
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      owner: `${digestOf('https://acme.weavy.test')}:${SUB}`,
      key: digestOf(API_KEY),
      generation: null,
      version: 1,
      token: 'wyu_1',
      issuedAt: Date.now(),
      lifetimeMs: 3_600_000,
      replacedAt: null,
      refused: [],
      paidUntil: 0,
    })
    expect(ttlMs).toBe(3_540_000)
  })

  test('a copy: a store that changes its value in place does not change the answer', async () => {
    const entries = new Map<string, unknown>()
    const { broker } = createTestBroker({
      store: {
        get: (key) => entries.get(key),
        set(key, value) {
          if (typeof value === 'object') Object.assign(value as object, { token: 'wyu_sealed' })
          entries.set(key, value)
        },
        delete: (key) => entries.delete(key),
      },
      fetch: createWeavyFetch(),
    })
    expect(await askForToken(broker)).toBe('wyu_1')
  })

  test('nothing that is over at once: Keyv takes 0 for ever', async () => {
    const set = vi.fn()
    const fetch = async () => Response.json({ access_token: 'wyu_1', expires_in: 0.001 })
    const { broker } = createTestBroker({ store: { get() {}, set, delete() {} }, fetch })
    expect((await ask(broker)).status).toBe(200)
    expect(set).not.toHaveBeenCalled()
  })
})

describe('the default store', () => {
  test('is bounded: the least recently used entry gives way', () => {
    const store = createMemoryStore(2)
    store.set('a', 1, 60_000)
    store.set('b', 2, 60_000)
    store.get('a')
    store.set('c', 3, 60_000)
    expect(['a', 'b', 'c'].map((key) => store.get(key))).toEqual([1, undefined, 3])
  })

  test('drops an entry when its time is over, without a timer', async () => {
    await vi.advanceTimersByTimeAsync(1)
    const store = createMemoryStore(2)
    store.set('a', 1, 1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(store.get('a')).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(store.get('a')).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('belongs to one broker', async () => {
    const fetch = createWeavyFetch()
    const [a, b] = [createTestBroker({ fetch }).broker, createTestBroker({ fetch }).broker]
    expect(await askForToken(a)).toBe('wyu_1')
    expect(await askForToken(b)).toBe('wyu_2')
  })
})
