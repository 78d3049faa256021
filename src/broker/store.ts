import { LRUCache } from 'lru-cache'
import { isA } from './safely.js'
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
  /**
   * Optional: sets the key for `ttlMs` and resolves to `true` if it was absent, else to `false` (`SET key 1 NX PX ttlMs` of
   * Redis). With it, several processes that are asked for one user in the same moment make one call to Weavy.
   */
  lease?(key: string, ttlMs: number): unknown
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

/** The store failed, was too slow, or is left alone, so nobody knows what it holds. */
export const UNAVAILABLE = Symbol('unavailable')

/** A store that never rejects and never takes longer than {@link STORE_TIMEOUT_MS} for an operation. */
export interface GuardedStore {
  /** The value or a promise of it; undefined when it is missing, {@link UNAVAILABLE} when nobody knows. */
  get(key: string): unknown
  /** Whether some operation failed and has not worked since. Then "missing" may be the word of a client that swallows errors. */
  isFailing(): boolean
  /**
   * Resolves to whether it is stored. Nothing is when `ttlMs`, which may be any number, is below 1.
   *
   * With `isThere` it is read back: a client may say yes although its server is full, read-only, or gone.
   * A store that is left alone is asked all the same if the write `isUrgent`.
   */
  set(key: string, value: unknown, ttlMs: number, write?: Write): Promise<boolean>
  delete(key: string): Promise<void>
  /**
   * Whether this caller has it; {@link UNAVAILABLE} when nobody knows. Missing when the store has none.
   *
   * One that somebody else still has when it `isLate`, longer than it may live, is a failure: left behind, or the word of a
   * client that swallows errors.
   */
  lease?: (key: string, ttlMs: number, isLate: boolean) => Promise<boolean | typeof UNAVAILABLE>
}

export interface Write {
  isThere?: (found: unknown) => boolean
  isUrgent?: boolean
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

  function noteFailure(operation: keyof TokenStore, reason: string): typeof UNAVAILABLE {
    if (failing.size === 0) log(`The token store failed (${operation}: ${reason}). Going on without it.`)
    failing.add(operation)
    return UNAVAILABLE
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
    if (operation === 'set' && result === false) return noteFailure(operation, 'returned false')
    if (operation === 'lease' && typeof result !== 'boolean')
      return noteFailure(operation, 'neither true nor false')
    // Until it is read back, a set proves nothing; nor does a lease that is not given.
    const isProof = operation !== 'set' && !(operation === 'lease' && result === false)
    if (isProof || isHanging) noteSuccess(operation)
    return result
  }

  function noteError(operation: keyof TokenStore, error: unknown): typeof UNAVAILABLE {
    const isTimeout = isA(error, TimeoutError)
    if (isTimeout) {
      isHanging = true
      restsUntil = performance.now() + STORE_REST_MS
    }
    return noteFailure(operation, isTimeout ? `no answer within ${STORE_TIMEOUT_MS} ms` : 'an error')
  }

  function attempt(operation: keyof TokenStore, call: () => unknown, isUrgent = false): unknown {
    if (isHanging) {
      const now = performance.now()
      if (now < restsUntil && !isUrgent) return UNAVAILABLE
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

  const get = (key: string, isUrgent = false) => attempt('get', () => store.get(key), isUrgent)

  return {
    get,
    isFailing: () => failing.size > 0,
    async set(key, value, ttlMs, { isThere = () => true, isUrgent = false } = {}) {
      const wholeMs = Math.floor(ttlMs)
      if (wholeMs < 1) return false
      const result = await attempt('set', () => store.set(key, value, wholeMs), isUrgent)
      if (result === UNAVAILABLE) return false
      const found = await get(key, isUrgent)
      const isStored = found !== UNAVAILABLE && isThere(found)
      if (isStored) noteSuccess('set')
      else if (found !== UNAVAILABLE) noteFailure('set', 'not there when it was read back')
      return isStored
    },
    async delete(key) {
      // Without it, what a client has queued before would bring a forgotten token back.
      await attempt('delete', () => store.delete(key), true)
    },
    ...(typeof store.lease === 'function' && {
      async lease(key: string, ttlMs: number, isLate: boolean) {
        const result = await attempt('lease', () => store.lease?.(key, ttlMs))
        const isDoubtful = isLate || failing.has('lease')
        if (result === false && isDoubtful) return noteFailure('lease', 'taken for too long')
        return result as boolean | typeof UNAVAILABLE
      },
    }),
  }
}
