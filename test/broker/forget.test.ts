import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { STORE_REST_MS, STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import { FORGET_TIMEOUT_MS } from '../../src/broker/token-records.js'
import { settle } from '../settle.js'
import { askForToken, createTestBroker, generationKey } from './ask.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.clearAllTimers()
  vi.useRealTimers()
})

/** A store each of whose operations takes its time, or fails, as the test says for its key. */
function createStage(meet: (key: string) => unknown = () => undefined) {
  const entries = new Map<string, unknown>()
  /** What was written under the key of a generation, as it was begun. */
  const writes: unknown[] = []
  const store: TokenStore = {
    get: async (key) => {
      await meet(key)
      return entries.get(key)
    },
    set: async (key, value) => {
      writes.push(value)
      await meet(key)
      entries.set(key, value)
    },
    delete: async (key) => {
      await meet(key)
      entries.delete(key)
    },
  }
  return { entries, writes, ...createTestBroker({ store }) }
}

const takes = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms))
const hang = () => new Promise<never>(() => {})

/** What each has said, and after how long. */
function watch(forgotten: Promise<boolean>[]) {
  const started = performance.now()
  return Promise.all(forgotten.map(async (said) => [await said, performance.now() - started] as const))
}

describe('forget() of one user, called many times at once', () => {
  test.each([
    ['hangs', hang, false],
    ['is slow', takes(STORE_TIMEOUT_MS - 50), false],
    ['works', takes(10), true],
  ])('is answered in its three seconds when the store %s', async (_, meet, isTaken) => {
    const { broker } = createStage(meet)
    const replies = watch(Array.from({ length: 6 }, () => broker.forget('u256')))
    await vi.advanceTimersByTimeAsync(10 * STORE_TIMEOUT_MS)
    const [first, ...others] = await replies
    for (const [isStored, ms] of others) {
      expect(isStored).toBe(isTaken)
      expect(ms).toBeLessThanOrEqual(FORGET_TIMEOUT_MS)
    }
    expect(first?.[1]).toBeLessThanOrEqual(2 * STORE_TIMEOUT_MS)
    expect(FORGET_TIMEOUT_MS).toBe(3_000)
  })

  test('costs two writes, and the last one has the last word', async () => {
    const { broker, entries, writes } = createStage(takes(10))
    const replies = Array.from({ length: 6 }, () => broker.forget('u256'))
    await vi.advanceTimersByTimeAsync(100)
    expect(await Promise.all(replies)).toEqual(Array(6).fill(true))
    expect(new Set(writes).size).toBe(2)
    expect(writes).toHaveLength(2)
    expect(entries.get(generationKey())).toBe(writes[1])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is told again, as one, when the store has failed', async () => {
    const state = { isDown: true }
    const { broker, entries } = createStage(() =>
      state.isDown ? Promise.reject(new Error('gone')) : undefined,
    )
    const replies = Array.from({ length: 6 }, () => broker.forget('u256'))
    expect(await Promise.all(replies)).toEqual(Array(6).fill(false))
    state.isDown = false
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    expect(entries.get(generationKey())).toEqual(expect.any(String))
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('a user whose forget() the store never takes does not keep it from being told of the others', async () => {
  const dead = new Set([generationKey('u1-'), generationKey('u2-'), generationKey('u3-')])
  const { broker, entries } = createStage((key) => dead.has(key) && Promise.reject(new Error('gone')))
  for (const uid of ['u1-', 'u2-', 'u3-']) expect(await broker.forget(uid)).toBe(false)
  dead.delete(generationKey('u3-'))
  await vi.advanceTimersByTimeAsync(3 * STORE_REST_MS)
  expect(entries.has(generationKey('u3-'))).toBe(true)
  dead.clear()
  await vi.advanceTimersByTimeAsync(2 * STORE_REST_MS)
  expect(entries.has(generationKey('u1-'))).toBe(true)
  expect(entries.has(generationKey('u2-'))).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

describe('on Workers', () => {
  beforeEach(() => {
    vi.stubGlobal('WebSocketPair', class {})
  })

  test('forget() does not wait for what another request has begun: its promise may never settle', async () => {
    let isFirst = true
    const { broker } = createStage(() => {
      if (!isFirst) return undefined
      isFirst = false
      return hang()
    })
    const cut = broker.forget('u256')
    // The request that began it is over, and its timers with it.
    vi.clearAllTimers()
    const started = performance.now()
    expect(await broker.forget('u256')).toBe(true)
    expect(performance.now()).toBe(started)
    expect(cut).toBeInstanceOf(Promise)
  })

  test('a timer that was dropped with its request is set anew by the next forget() that fails', async () => {
    const state = { isDown: true }
    const { broker, entries } = createStage(() =>
      state.isDown ? Promise.reject(new Error('gone')) : undefined,
    )
    expect(await broker.forget('u1-')).toBe(false)
    vi.clearAllTimers()
    await vi.advanceTimersByTimeAsync(2 * STORE_REST_MS + 1)
    expect(await broker.forget('u2-')).toBe(false)
    state.isDown = false
    await vi.advanceTimersByTimeAsync(STORE_REST_MS)
    expect(entries.has(generationKey('u1-'))).toBe(true)
    expect(entries.has(generationKey('u2-'))).toBe(true)
  })
})

describe('a token of before forget() is not handed out', () => {
  const gone = () => Promise.reject(new Error('gone'))
  /** A store of several processes, in which an operation fails or takes its time as the test says. */
  function createShared() {
    const entries = new Map<string, unknown>()
    const meet = { get: async (_: string) => {}, set: async (_: string) => {} }
    const store: TokenStore = {
      // What it holds when it is asked, however late it answers.
      get: async (key) => {
        const value = entries.get(key)
        await meet.get(key)
        return value
      },
      set: async (key, value) => {
        await meet.set(key)
        entries.set(key, value)
      },
      delete: async (key) => {
        await meet.set(key)
        entries.delete(key)
      },
    }
    let issued = 0
    const fetch = async () => Response.json({ access_token: `wyu_${++issued}`, expires_in: 3600 })
    const open = () => createTestBroker({ store, fetch }).broker
    return { entries, meet, open }
  }

  test('when the store has it still, and takes no writes', async () => {
    const { meet, open } = createShared()
    const broker = open()
    expect(await askForToken(broker)).toBe('wyu_1')
    meet.set = gone
    expect(await broker.forget('u256')).toBe(false)
    for (let n = 0; n < 2; n++) expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('when another process has forgotten later: its word counts, and its token serves both', async () => {
    const { open } = createShared()
    const [one, other] = [open(), open()]
    expect(await one.forget('u256')).toBe(true)
    expect(await askForToken(one)).toBe('wyu_1')
    expect(await other.forget('u256')).toBe(true)
    expect(await askForToken(other)).toBe('wyu_2')
    for (const broker of [one, other, one]) expect(await askForToken(broker)).toBe('wyu_2')
    expect(await one.forget('u256')).toBe(true)
    for (const broker of [one, other]) expect(await askForToken(broker)).toBe('wyu_3')
  })

  test('when it was read before that, and the store answers late', async () => {
    const { meet, open } = createShared()
    const broker = open()
    await broker.forget('u256')
    expect(await askForToken(broker)).toBe('wyu_1')
    meet.get = takes(50)
    const asked = askForToken(broker)
    await settle()
    meet.get = async () => {}
    expect(await broker.forget('u256')).toBe(true)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await asked).toBe('wyu_2')
  })

  test('and one of after it is, when the store has lost the word, or is down', async () => {
    const { entries, meet, open } = createShared()
    const [one, other] = [open(), open()]
    await one.forget('u256')
    for (const broker of [one, other]) expect(await askForToken(broker)).toBe('wyu_1')
    meet.get = gone
    expect(await askForToken(other)).toBe('wyu_1')
    meet.get = async () => {}
    await vi.advanceTimersByTimeAsync(2 * STORE_REST_MS)
    entries.delete(generationKey())
    expect(await askForToken(one)).toBe('wyu_1')
  })

  test.each([
    ['token', 'weavy-token:'],
    ['forget()', 'weavy-token-generation:'],
  ])('nor one of a store that cannot say its last %s', async (_, prefix) => {
    const { meet, open } = createShared()
    const [broker, other] = [open(), open()]
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForToken(other)).toBe('wyu_1')
    meet.get = async (key) => (key.startsWith(prefix) ? gone() : undefined)
    // What this process knows serves on.
    expect(await askForToken(broker)).toBe('wyu_1')
    await broker.forget('u256')
    expect(await askForToken(broker)).toBe('wyu_2')
  })
})
