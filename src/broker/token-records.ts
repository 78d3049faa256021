import { LRUCache } from 'lru-cache'
import { DEFAULT_EXPIRES_IN } from './options.js'
import { type ProcessMemory, sharesFlights } from './process-memory.js'
import { newer, parseRecord, reusableMs, type TokenRecord } from './record.js'
import { type GuardedStore, STORE_REST_MS, UNAVAILABLE } from './store.js'
import { isThenable, within } from './within.js'

/** How long a lease lives. Longer than whoever has it may take. */
export const LEASE_MS = 10_000
/** How long `forget()` waits for the store. */
export const FORGET_TIMEOUT_MS = 3_000
/** How many leases of somebody else are kept in mind. */
const MAX_TAKEN = 1_000
/** How many users whose `forget()` the store has not taken are kept in mind; the oldest give way. */
const MAX_UNHEARD = 10_000

/** What is known of a user at one moment. */
export interface Reading {
  /** Of the present generation and API key; missing when there is none that counts. */
  readonly record: TokenRecord | undefined
  readonly generation: string | null
  /** The token that the store held, whether it counts or not: a write that leaves it there has failed. */
  readonly seen: string | undefined
}

/** A record of this process. */
interface Known {
  readonly record: TokenRecord
  readonly turn: number
  /** Whether the store has it. Until then this process knows better than the store. */
  isStored: boolean
  /** When it was last written, by the monotonic clock. */
  triedAt: number
}

/** A `forget()` of this process. */
interface Forgotten {
  readonly generation: string
  readonly turn: number
  isStored: boolean
}

/** One record per user, in the store of the app or in the memory of this process. Nothing here rejects. */
export interface TokenRecords {
  /** @param key digest of the present API key */
  read(owner: string, key: string): Reading | Promise<Reading>
  /** Resolves when the write has landed or failed. `reading` is the one that it follows. */
  write(record: TokenRecord, reading: Reading): Promise<void>
  /** Resolves to whether the store has taken it. Until then it is tried again, and holds in this process. */
  forget(owner: string): Promise<boolean>
  /** Missing when the store has none. `release` is undefined when somebody else has the lease. */
  lease?: (owner: string, generation: string | null) => Promise<{ release?: () => Promise<void> }>
}

/**
 * @param store missing when the memory of the process is the store
 * @param maxLifetimeMs what tokens are asked for
 */
export function createTokenRecords(
  store: GuardedStore | undefined,
  memory: ProcessMemory,
  maxLifetimeMs: number,
): TokenRecords {
  const recordKey = (owner: string) => `weavy-token:${owner}`
  const generationKey = (owner: string) => `weavy-token-generation:${owner}`
  // Another process may ask for a longer life than this one, most likely for the usual one.
  const generationMs = Math.max(maxLifetimeMs, DEFAULT_EXPIRES_IN * 1000) + 60_000
  const knownOf = (owner: string) => memory.tokens.get(recordKey(owner)) as Known | undefined
  const forgottenOf = (owner: string) => memory.tokens.get(generationKey(owner)) as Forgotten | undefined

  function remember(record: TokenRecord, isStored: boolean): Known {
    const known = { record, isStored, turn: ++memory.turn, triedAt: performance.now() }
    const ttlMs = keptMs(record)
    if (ttlMs >= 1) memory.tokens.set(recordKey(record.owner), known, ttlMs)
    return known
  }

  /** As long as it may be handed out, and as the allowance of its user is not full. */
  function keptMs(record: TokenRecord): number {
    const now = Date.now()
    return Math.floor(Math.max(reusableMs(record, now), record.paidUntil - now))
  }

  /** What `forget()` said last, as far as anybody knows: the store, unless this process knows better. */
  function present(owner: string, began: number, word: unknown): string | null {
    const forgotten = forgottenOf(owner)
    const said = typeof word === 'string' ? word : undefined
    if (!forgotten) return word === UNAVAILABLE ? (knownOf(owner)?.record.generation ?? null) : (said ?? null)
    if (said === undefined || !forgotten.isStored || forgotten.turn > began) return forgotten.generation
    if (said !== forgotten.generation) memory.tokens.delete(generationKey(owner))
    return said
  }

  /** Puts together what the store says and what this process knows. What it did after the read began is newer than the read. */
  function combine(owner: string, key: string, began: number, value: unknown, word: unknown): Reading {
    const generation = present(owner, began, word)
    const known = knownOf(owner)
    const counted = (record: TokenRecord | undefined) =>
      record?.generation === generation && record.key === key ? record : undefined
    const mine = known && counted(parseRecord(known.record, owner, maxLifetimeMs))
    if (value === UNAVAILABLE || word === UNAVAILABLE) return { record: mine, generation, seen: undefined }

    const found = parseRecord(value, owner, maxLifetimeMs)
    const stored = counted(found)
    const isAhead = known !== undefined && (!known.isStored || known.turn > began)
    const record = newer(stored, isAhead ? mine : undefined)
    if (record === undefined) memory.tokens.delete(recordKey(owner))
    else if (record === stored && !(known?.isStored && known.record.token === stored.token))
      remember(stored, true)
    else if (known && !known.isStored) tryAgain(known, found?.token)
    return { record, generation, seen: found?.token }
  }

  async function save(record: TokenRecord, seen: string | undefined): Promise<boolean> {
    if (!store) return true
    const isThere = (value: unknown) => {
      const token = parseRecord(value, record.owner, maxLifetimeMs)?.token
      return token !== undefined && (token === record.token || token !== seen)
    }
    // A copy: some stores change what they are given.
    return store.set(recordKey(record.owner), structuredClone(record), keptMs(record), { isThere })
  }

  function tryAgain(known: Known, seen: string | undefined) {
    const now = performance.now()
    if (now - known.triedAt < STORE_REST_MS) return
    known.triedAt = now
    const saved = async () => {
      known.isStored = await save(known.record, seen)
    }
    saved().catch(() => {})
  }

  /** Leases of somebody else: since when this process is told so without a pause, and when it was told last. */
  const taken = new LRUCache<string, { readonly since: number; readonly last: number }>({ max: MAX_TAKEN })
  /** One after the other for a user, or an earlier one could have the last word. */
  const telling = new Map<string, { readonly forgotten: Forgotten; readonly told: Promise<boolean> }>()
  const unheard = new Map<string, Forgotten>()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Until then, by the monotonic clock, the timer is believed to run: some runtimes drop it with the request that set it. */
  let armedUntil = Number.NEGATIVE_INFINITY

  /** Tells what was forgotten last, which does for all before it. */
  async function tell(owner: string, forgotten: Forgotten): Promise<boolean> {
    const earlier = sharesFlights() ? telling.get(owner) : undefined
    if (earlier && earlier.forgotten.turn >= forgotten.turn) return earlier.told
    if (earlier) {
      await earlier.told
      return tell(owner, forgotten)
    }
    const newest = forgottenOf(owner) ?? forgotten
    const told = tellStore(owner, newest).finally(() => telling.delete(owner))
    telling.set(owner, { forgotten: newest, told })
    return told
  }

  async function tellStore(owner: string, forgotten: Forgotten): Promise<boolean> {
    const { generation } = forgotten
    const isThere = (found: unknown) => found === generation
    const write = store?.set(generationKey(owner), generation, generationMs, { isThere, isUrgent: true })
    const [isStored = true] = await Promise.all([write, store?.delete(recordKey(owner))])
    forgotten.isStored = isStored
    unheard.delete(owner)
    if (!isStored) keepInMind(owner, forgotten)
    return isStored
  }

  /** As the last one, so that nobody whom the store never takes keeps it from hearing of the others. */
  function keepInMind(owner: string, forgotten: Forgotten) {
    unheard.set(owner, forgotten)
    if (unheard.size > MAX_UNHEARD) unheard.delete(unheard.keys().next().value as string)
    arm()
  }

  async function tellAgain() {
    armedUntil = Number.NEGATIVE_INFINITY
    for (const [owner, forgotten] of unheard) {
      // Forgotten once more since, or so long ago that no token of then lives.
      if (forgottenOf(owner) !== forgotten) unheard.delete(owner)
      else if (!(await tell(owner, forgotten))) break
    }
    arm()
  }

  function arm() {
    const now = performance.now()
    if (unheard.size === 0 || now <= armedUntil) return
    clearTimeout(timer)
    armedUntil = now + 2 * STORE_REST_MS
    timer = setTimeout(() => void tellAgain().catch(() => {}), STORE_REST_MS)
    // A number where there is no Node.
    if (typeof timer === 'object') timer.unref()
  }

  return {
    read(owner, key) {
      if (!store) {
        const mine = parseRecord(knownOf(owner)?.record, owner, maxLifetimeMs)
        const generation = forgottenOf(owner)?.generation ?? null
        const record = mine?.generation === generation && mine.key === key ? mine : undefined
        return { record, generation, seen: undefined }
      }
      memory.turn += 1
      const began = memory.turn
      const value = store.get(recordKey(owner))
      const word = store.get(generationKey(owner))
      const together = (value: unknown, word: unknown) => {
        const isNobodysWord = (value ?? word ?? null) === null && store.isFailing()
        return isNobodysWord
          ? combine(owner, key, began, UNAVAILABLE, UNAVAILABLE)
          : combine(owner, key, began, value, word)
      }
      if (!isThenable(value) && !isThenable(word)) return together(value, word)
      return Promise.all([value, word]).then((both) => together(...both))
    },
    async write(record, { seen }) {
      const isStored = await save(record, seen)
      const forgotten = forgottenOf(record.owner)
      // Nobody is given it before its write has landed or failed, nor when it was forgotten meanwhile.
      if (!forgotten || forgotten.generation === record.generation) remember(record, isStored)
    },
    async forget(owner) {
      const forgotten = { generation: crypto.randomUUID(), turn: ++memory.turn, isStored: false }
      memory.tokens.delete(recordKey(owner))
      memory.tokens.set(generationKey(owner), forgotten, generationMs)
      // Late is no: it goes on, and is told again if it fails.
      return Promise.resolve(within(FORGET_TIMEOUT_MS, tell(owner, forgotten))).catch(() => false)
    },
    ...(store?.lease && {
      async lease(owner: string, generation: string | null) {
        const name = `weavy-token-lease:${owner}:${generation ?? ''}`
        const now = performance.now()
        const before = taken.get(name)
        const since = before && now - before.last <= LEASE_MS ? before.since : now
        taken.set(name, { since, last: now })
        const isMine = await store.lease?.(name, LEASE_MS, now - since > LEASE_MS)
        if (isMine === false) return {}
        taken.delete(name)
        // Without an answer nobody has it, and this process goes on as it would without leases.
        return { release: async () => void (isMine === true && (await store.delete(name))) }
      },
    }),
  }
}
