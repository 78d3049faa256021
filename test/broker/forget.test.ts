import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { STORE_REST_MS, STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import { FORGET_TIMEOUT_MS } from '../../src/broker/token-records.js'
import { createTestBroker, generationKey } from './ask.js'

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
