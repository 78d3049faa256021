import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { guardStore, STORE_REST_MS, STORE_TIMEOUT_MS, UNAVAILABLE } from '../../src/broker/store.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

const hang = () => new Promise<never>(() => {})
const reject = () => Promise.reject(new Error('secret'))
const works = 'The token store works again.'
const failed = (what: string) => `The token store failed (${what}). Going on without it.`

/** A guard, its lines, and the store behind it, whose methods a test replaces. */
function createStage(hasLease = false) {
  const entries = new Map<string, unknown>()
  const store = {
    get: vi.fn((key: string): unknown => entries.get(key)),
    set: vi.fn((key: string, value: unknown, _ttlMs: number): unknown => void entries.set(key, value)),
    delete: vi.fn((key: string): unknown => entries.delete(key)),
    ...(hasLease && { lease: vi.fn((): unknown => true) }),
  }
  const lines: string[] = []
  return { store, lines, guard: guardStore(store, (line) => lines.push(line)) }
}

describe('set', () => {
  test('says whether it is stored, also where nobody says how to tell', async () => {
    const { guard, store } = createStage()
    expect(await guard.set('a', 1, 1.9)).toBe(true)
    expect(store.set).toHaveBeenCalledExactlyOnceWith('a', 1, 1)
    expect(await guard.set('a', 2, 0.9)).toBe(false)
    expect(store.set).toHaveBeenCalledTimes(1)
  })

  test('that cannot be read back is not known to be stored, and it is the read that failed', async () => {
    const { guard, store, lines } = createStage()
    store.get.mockImplementationOnce(reject)
    expect(await guard.set('a', 1, 1000)).toBe(false)
    expect(guard.isFailing()).toBe(true)
    expect(await guard.get('a')).toBe(1)
    expect(guard.isFailing()).toBe(false)
    expect(lines).toEqual([failed('get: an error'), works])
  })

  test('is not tried while the store is left alone, unless it is urgent', async () => {
    const { guard, store } = createStage()
    store.get.mockImplementationOnce(hang)
    const got = guard.get('a')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    expect(await got).toBe(UNAVAILABLE)
    expect(await guard.set('a', 1, 1000)).toBe(false)
    expect(store.set).not.toHaveBeenCalled()
    expect(await guard.set('a', 1, 1000, { isUrgent: true })).toBe(true)
  })
})

describe('a failure', () => {
  test.each([
    [
      'thrown',
      () => {
        throw new Error('secret')
      },
    ],
    ['rejected', reject],
  ])('that is quick (%s) is not known, and rests nothing', async (_, fail) => {
    const { guard, store, lines } = createStage()
    store.get.mockImplementationOnce(fail)
    expect(await guard.get('a')).toBe(UNAVAILABLE)
    expect(await guard.get('a')).toBeUndefined()
    expect(store.get).toHaveBeenCalledTimes(2)
    expect(lines).toEqual([failed('get: an error'), works])
  })

  test('of one operation is over when that one works, whatever it answers', async () => {
    const { guard, store, lines } = createStage()
    store.delete.mockImplementationOnce(reject)
    await guard.delete('a')
    expect(await guard.get('a')).toBeUndefined()
    expect(guard.isFailing()).toBe(true)
    // Nothing was there to be deleted.
    await guard.delete('a')
    expect(guard.isFailing()).toBe(false)
    expect(lines).toEqual([failed('delete: an error'), works])
  })

  test('of any operation is over with the first answer after a silence', async () => {
    const { guard, store, lines } = createStage()
    store.set.mockImplementationOnce(reject)
    expect(await guard.set('a', 1, 1000)).toBe(false)
    store.get.mockImplementationOnce(hang)
    const got = guard.get('a')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS + STORE_REST_MS)
    await got
    expect(guard.get('a')).toBeUndefined()
    expect(lines).toEqual([failed('set: an error'), works])
  })
})

describe('a lease', () => {
  test('is missing where the store has none', () => {
    expect(createStage().guard.lease).toBeUndefined()
  })

  test('is what the store says, if it says yes or no', async () => {
    const { guard, store } = createStage(true)
    expect(await guard.lease?.('a', 1000, false)).toBe(true)
    store.lease?.mockReturnValueOnce(false)
    expect(await guard.lease?.('a', 1000, false)).toBe(false)
    expect(guard.isFailing()).toBe(false)
  })

  test.each(['OK', null, undefined, 1])(
    'of which the store says %s is a failure, told once until one is given',
    async (answer) => {
      const { guard, store, lines } = createStage(true)
      store.lease?.mockReturnValueOnce(answer).mockReturnValueOnce(answer)
      for (let n = 0; n < 2; n++) {
        expect(await guard.lease?.('a', 1000, false)).toBe(UNAVAILABLE)
        await guard.get('a')
        expect(guard.isFailing()).toBe(true)
      }
      expect(await guard.lease?.('a', 1000, false)).toBe(true)
      expect(lines).toEqual([failed('lease: neither true nor false'), works])
    },
  )

  test('that is given late is given, and one that somebody has for too long is a failure', async () => {
    const { guard, store, lines } = createStage(true)
    expect(await guard.lease?.('a', 1000, true)).toBe(true)
    store.lease?.mockReturnValue(false)
    expect(await guard.lease?.('a', 1000, true)).toBe(UNAVAILABLE)
    // From here on `false` proves nothing.
    expect(await guard.lease?.('a', 1000, false)).toBe(UNAVAILABLE)
    expect(lines).toEqual([failed('lease: taken for too long')])
  })

  test('is not asked for while the store is left alone', async () => {
    const { guard, store } = createStage(true)
    store.get.mockImplementationOnce(hang)
    const got = guard.get('a')
    await vi.advanceTimersByTimeAsync(STORE_TIMEOUT_MS)
    await got
    expect(await guard.lease?.('a', 1000, false)).toBe(UNAVAILABLE)
    expect(store.lease).not.toHaveBeenCalled()
  })
})
