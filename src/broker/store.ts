import { LRUCache } from 'lru-cache'
import { isThenable, TimeoutError, within } from './within.js'

/** How long a request waits for the store. */
export const STORE_TIMEOUT_MS = 1_000
/** How long a store that did not answer is left alone, so that it does not cost every request a second. */
export const STORE_REST_MS = 5_000
/** How many entries the default store holds; the least recently used ones give way. */
export const MEMORY_STORE_ENTRIES = 100_000

/**
 * Where tokens are kept between requests: the shape of a Keyv instance. Results may be promises.
 *
 * Values are plain JSON. A store that fails, hangs, or returns something else never fails a request.
 *
 * @see https://keyv.org
 */
export interface TokenStore {
  get(key: string): unknown
  /** `ttlMs`: how long to keep it, a whole number of milliseconds of at least 1. `false` as the result means failure. */
  set(key: string, value: unknown, ttlMs: number): unknown
  delete(key: string): unknown
}

/** A store in this process, bounded, with expiry by the monotonic clock. */
export function createMemoryStore(maxEntries = MEMORY_STORE_ENTRIES): TokenStore {
  const cache = new LRUCache<string, NonNullable<unknown>>({
    // The bound as a size, every entry being of size 1: it grows as it fills, where `max` takes all its memory at once.
    maxSize: maxEntries,
    sizeCalculation: () => 1,
    // Ask the clock at every read: the cached reading that is the default needs a timer.
    ttlResolution: 0,
    perf: { now: () => performance.now() },
  })
  return {
    get: (key) => cache.get(key),
    set: (key, value, ttlMs) => void cache.set(key, value as NonNullable<unknown>, { ttl: ttlMs }),
    delete: (key) => cache.delete(key),
  }
}

/** A store that never rejects and never takes longer than {@link STORE_TIMEOUT_MS}. */
export interface GuardedStore {
  /** The value or a promise of it; undefined when it is missing, or the store failed, was too slow, or is left alone. */
  get(key: string): unknown
  /** `ttlMs` may be any number; nothing is stored when it is below 1. */
  set(key: string, value: unknown, ttlMs: number): Promise<void>
  delete(key: string): Promise<void>
}

/**
 * Guards against a store that fails or hangs, which is what clients of a server that is gone do: they queue.
 *
 * After a time-out the store rests for {@link STORE_REST_MS}; then one call at a time tries it until it answers. A quick
 * failure costs nothing and rests nothing. Each change between working and failing is one line in the log.
 */
export function guardStore(store: TokenStore, log: (line: string) => void): GuardedStore {
  const failing = new Set<keyof TokenStore>()
  let isHanging = false
  /** Counts while the store hangs; by the monotonic clock. */
  let restsUntil = 0

  function noteFailure(operation: keyof TokenStore, reason: string) {
    if (failing.size === 0) log(`The token store failed (${operation}: ${reason}). Going on without it.`)
    failing.add(operation)
  }

  function noteSuccess(operation: keyof TokenStore) {
    if (failing.size === 0) return
    // An answer ends a silence, whatever was asked. Otherwise each operation counts by itself: Keyv can swallow the
    // failure of a get and report that of a set, and a store that is full still reads.
    if (isHanging) failing.clear()
    else failing.delete(operation)
    isHanging = false
    if (failing.size === 0) log('The token store works again.')
  }

  function noteResult(operation: keyof TokenStore, result: unknown): unknown {
    if (operation === 'set' && result === false) noteFailure(operation, 'returned false')
    else noteSuccess(operation)
    return result
  }

  function noteError(operation: keyof TokenStore, error: unknown): undefined {
    const isTimeout = error instanceof TimeoutError
    if (isTimeout) {
      isHanging = true
      restsUntil = performance.now() + STORE_REST_MS
    }
    noteFailure(operation, isTimeout ? `no answer within ${STORE_TIMEOUT_MS} ms` : 'an error')
  }

  function attempt(operation: keyof TokenStore, call: () => unknown): unknown {
    if (isHanging) {
      const now = performance.now()
      // Without a delete, what a client has queued before would bring a forgotten token back.
      if (now < restsUntil && operation !== 'delete') return undefined
      restsUntil = now + STORE_TIMEOUT_MS
    }
    try {
      const result = within(STORE_TIMEOUT_MS, call())
      if (!isThenable(result)) return noteResult(operation, result)
      return result.then(
        (value) => noteResult(operation, value),
        (error) => noteError(operation, error),
      )
    } catch (error) {
      return noteError(operation, error)
    }
  }

  return {
    get: (key) => attempt('get', () => store.get(key)),
    async set(key, value, ttlMs) {
      const wholeMs = Math.floor(ttlMs)
      if (wholeMs >= 1) await attempt('set', () => store.set(key, value, wholeMs))
    },
    async delete(key) {
      await attempt('delete', () => store.delete(key))
    },
  }
}
