import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ProcessMemory } from '../../src/broker/process-memory.js'
import type { TokenRecord } from '../../src/broker/record.js'
import {
  createMemoryStore,
  type GuardedStore,
  STORE_REST_MS,
  UNAVAILABLE,
  type Write,
} from '../../src/broker/store.js'
import { createTokenRecords, LEASE_MS, type Reading } from '../../src/broker/token-records.js'
import { createDeferred } from '../deferred.js'

beforeEach(() => {
  vi.useFakeTimers()
  // lru-cache takes an entry of instant 0 for one that never ends.
  vi.advanceTimersByTime(1)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.clearAllTimers()
  vi.useRealTimers()
})

const OWNER = 'environment:user'
const KEY = 'key'
const MAX_LIFETIME_MS = 60_000
const HOUR_MS = 3_600_000
const RECORD_KEY = `weavy-token:${OWNER}`
const GENERATION_KEY = `weavy-token-generation:${OWNER}`

const recordOf = (changes: Partial<TokenRecord> = {}): TokenRecord => ({
  owner: OWNER,
  key: KEY,
  generation: null,
  version: 1,
  token: 'wyu_1',
  issuedAt: Date.now(),
  lifetimeMs: MAX_LIFETIME_MS,
  replacedAt: null,
  refused: [],
  paidUntil: 0,
  ...changes,
})

/** The records of one process, beside a store that does what the test says. */
function createStage({
  lease,
  maxLifetimeMs = MAX_LIFETIME_MS,
}: Pick<GuardedStore, 'lease'> & { maxLifetimeMs?: number } = {}) {
  const entries = new Map<string, unknown>()
  const state = { takesWrites: true, isFailing: false }
  const sets: { key: string; value: unknown; ttlMs: number; write: Write }[] = []
  const deleted: string[] = []
  const answers: { get(key: string): unknown } = { get: (key) => entries.get(key) }
  const store: GuardedStore = {
    get: (key) => answers.get(key),
    isFailing: () => state.isFailing,
    async set(key, value, ttlMs, write = {}) {
      sets.push({ key, value, ttlMs, write })
      if (state.takesWrites) entries.set(key, value)
      return state.takesWrites
    },
    async delete(key) {
      deleted.push(key)
      if (state.takesWrites) entries.delete(key)
    },
    ...(lease && { lease }),
  }
  const memory: ProcessMemory = {
    tokens: createMemoryStore(),
    profiles: createMemoryStore(),
    flights: new Map(),
    turn: 0,
  }
  const records = createTokenRecords(store, memory, maxLifetimeMs)
  return {
    records,
    memory,
    entries,
    state,
    sets,
    deleted,
    answers,
    read: async () => records.read(OWNER, KEY),
    write: (record: TokenRecord, seen?: string) => records.write(record, { seen } as Reading),
  }
}
const tokenOf = ({ record }: Reading) => record?.token
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('what this process remembers', () => {
  test.each([
    ['neither may be handed out nor counts for the allowance is', 0, undefined],
    ['counts for the allowance for another millisecond is not', 1, 'wyu_1'],
  ])('a record that %s forgotten at once', async (_, paidForMs, token) => {
    const { memory, write } = createStage()
    await write(recordOf({ issuedAt: Date.now() - MAX_LIFETIME_MS, paidUntil: Date.now() + paidForMs }))
    expect((memory.tokens.get(RECORD_KEY) as { record: TokenRecord } | undefined)?.record.token).toBe(token)
  })

  test('is asked by the key of now, also without a store', async () => {
    const { memory } = createStage()
    const records = createTokenRecords(undefined, memory, MAX_LIFETIME_MS)
    await records.write(recordOf(), {} as Reading)
    expect(tokenOf(await records.read(OWNER, KEY))).toBe('wyu_1')
    expect(tokenOf(await records.read(OWNER, 'key after a rotation'))).toBeUndefined()
  })

  test('is what the store had last, for when it is gone', async () => {
    const { entries, answers, read } = createStage()
    for (const version of [1, 2]) {
      entries.set(RECORD_KEY, recordOf({ version, token: `wyu_${version}` }))
      await read()
    }
    answers.get = () => UNAVAILABLE
    expect(tokenOf(await read())).toBe('wyu_2')
  })

  test('of a broker without a store is no better than what the store of another says', async () => {
    const { memory, entries, sets, read } = createStage()
    entries.set(RECORD_KEY, recordOf())
    const others = createTokenRecords(undefined, memory, MAX_LIFETIME_MS)
    await others.write(recordOf({ version: 2, token: 'wyu_2' }), {} as Reading)
    await pass(STORE_REST_MS)
    expect(tokenOf(await read())).toBe('wyu_1')
    expect(sets).toEqual([])
  })

  test('ends when the store has lost it', async () => {
    const { entries, read } = createStage()
    entries.set(RECORD_KEY, recordOf())
    expect(tokenOf(await read())).toBe('wyu_1')
    entries.clear()
    expect(await read()).toEqual({ record: undefined, generation: null, seen: undefined })
  })

  test.each([undefined, null])(
    'holds while a client that swallows errors says that there is %s',
    async (nothing) => {
      const { entries, state, answers, read, write } = createStage()
      await write(recordOf())
      entries.clear()
      answers.get = () => nothing
      state.isFailing = true
      expect(tokenOf(await read())).toBe('wyu_1')
      state.isFailing = false
      expect(tokenOf(await read())).toBeUndefined()
    },
  )
})

describe('what the store says', () => {
  test.each([
    ['at once', (value: unknown) => value, (value: unknown) => value],
    ['late', async (value: unknown) => value, async (value: unknown) => value],
    ['at once, and of the generation late', (value: unknown) => value, async (value: unknown) => value],
    ['late, and of the generation at once', async (value: unknown) => value, (value: unknown) => value],
  ])('%s is heard', async (when, ofRecord, ofGeneration) => {
    const { records, entries, answers } = createStage()
    entries.set(GENERATION_KEY, 'g1').set(RECORD_KEY, recordOf({ generation: 'g1' }))
    answers.get = (key) => (key === RECORD_KEY ? ofRecord : ofGeneration)(entries.get(key))
    const reading = records.read(OWNER, KEY)
    expect(reading instanceof Promise).toBe(when !== 'at once')
    expect(await reading).toMatchObject({ generation: 'g1', record: { token: 'wyu_1' } })
  })

  test('of a generation is nothing where it is no string', async () => {
    const { entries, read } = createStage()
    entries.set(GENERATION_KEY, 5).set(RECORD_KEY, recordOf())
    expect(await read()).toMatchObject({ generation: null, record: { token: 'wyu_1' } })
  })

  test('of a record does not count while nobody can tell whether it was forgotten', async () => {
    const { entries, answers, read } = createStage()
    entries.set(RECORD_KEY, recordOf())
    answers.get = (key) => (key === GENERATION_KEY ? UNAVAILABLE : entries.get(key))
    expect(await read()).toEqual({ record: undefined, generation: null, seen: undefined })
  })
})

describe('forget()', () => {
  test.each([
    ['of a broker with a longer life', 2 * HOUR_MS, 2 * HOUR_MS],
    ['of one with the usual life, also where this one asks for less', MAX_LIFETIME_MS, HOUR_MS],
  ])('is kept a minute longer than a token %s', async (_, maxLifetimeMs, livesMs) => {
    const { records, sets } = createStage({ maxLifetimeMs })
    expect(await records.forget(OWNER)).toBe(true)
    expect(sets).toMatchObject([{ key: GENERATION_KEY, ttlMs: livesMs + 60_000 }])
  })

  test('holds here while the store is being told', async () => {
    const { records, entries, read, write } = createStage()
    entries.set(GENERATION_KEY, 'g1')
    await write(recordOf({ generation: 'g1' }))
    const told = records.forget(OWNER)
    // A store that is read before the write has landed.
    entries.set(GENERATION_KEY, 'g1').set(RECORD_KEY, recordOf({ generation: 'g1' }))
    expect(tokenOf(await read())).toBeUndefined()
    await told
  })

  test('is not undone by what was begun before it and lands after a newer one', async () => {
    const { memory } = createStage()
    const records = createTokenRecords(undefined, memory, MAX_LIFETIME_MS)
    await records.forget(OWNER)
    const { generation } = await records.read(OWNER, KEY)
    await records.write(recordOf({ generation, token: 'wyu_2' }), {} as Reading)
    await records.write(recordOf({ generation: null, token: 'wyu_1' }), {} as Reading)
    expect(tokenOf(await records.read(OWNER, KEY))).toBe('wyu_2')
  })

  test('of another process ends what this one has said: it holds also when the store is gone', async () => {
    const { records, entries, answers, read } = createStage()
    await records.forget(OWNER)
    entries.set(GENERATION_KEY, 'g2').set(RECORD_KEY, recordOf({ generation: 'g2', token: 'wyu_2' }))
    expect(tokenOf(await read())).toBe('wyu_2')
    answers.get = () => UNAVAILABLE
    expect(await read()).toMatchObject({ generation: 'g2', record: { token: 'wyu_2' } })
  })

  test('is told again after the rest of the store, however often others are forgotten meanwhile', async () => {
    const { records, sets, state } = createStage()
    state.takesWrites = false
    expect(await records.forget(OWNER)).toBe(false)
    for (let second = 1; second < STORE_REST_MS / 1000; second++) {
      await pass(1000)
      expect(await records.forget('environment:another')).toBe(false)
    }
    const before = sets.length
    await pass(1000)
    expect(sets.slice(before)).toMatchObject([{ key: GENERATION_KEY }])
  })

  test('keeps no process alive, and is told when the store takes writes again', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { records, state, entries } = createStage()
    state.takesWrites = false
    await records.forget(OWNER)
    expect(timers.mock.results.at(-1)?.value.hasRef()).toBe(false)
    state.takesWrites = true
    await pass(STORE_REST_MS)
    expect(entries.get(GENERATION_KEY)).toEqual(expect.any(String))
    expect(vi.getTimerCount()).toBe(0)
  })

  test('of so long ago that no token of then lives is not told again', async () => {
    const { records, sets, state, entries } = createStage()
    state.takesWrites = false
    await records.forget(OWNER)
    await pass(HOUR_MS + 60_000)
    const { length } = sets
    state.takesWrites = true
    await pass(2 * STORE_REST_MS)
    expect(sets).toHaveLength(length)
    expect(entries.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('of ten thousand users whom the store has not taken is kept in mind; the oldest gives way', async () => {
    const { records, sets, state } = createStage()
    state.takesWrites = false
    const owners = Array.from({ length: 10_001 }, (_, n) => `environment:${n}`)
    await Promise.all(owners.map((owner) => records.forget(owner)))
    sets.length = 0
    state.takesWrites = true
    await pass(STORE_REST_MS)
    expect(sets).toHaveLength(10_000)
    expect(sets[0]?.key).toBe('weavy-token-generation:environment:1')
  })
})

describe('a write that the store did not take', () => {
  test('is tried again by a read, when the store has rested', async () => {
    const { sets, state, entries, read, write } = createStage()
    state.takesWrites = false
    await write(recordOf())
    await pass(STORE_REST_MS - 1)
    expect(tokenOf(await read())).toBe('wyu_1')
    expect(sets).toHaveLength(1)
    await pass(1)
    state.takesWrites = true
    expect(tokenOf(await read())).toBe('wyu_1')
    expect(sets).toHaveLength(2)
    expect(entries.get(RECORD_KEY)).toMatchObject({ token: 'wyu_1' })
    await pass(STORE_REST_MS)
    await read()
    expect(sets).toHaveLength(2)
  })

  test('but has after all is not tried again', async () => {
    const { sets, state, entries, read, write } = createStage()
    state.takesWrites = false
    await write(recordOf())
    entries.set(RECORD_KEY, recordOf())
    await pass(STORE_REST_MS)
    expect(tokenOf(await read())).toBe('wyu_1')
    expect(sets).toHaveLength(1)
    entries.clear()
    expect(tokenOf(await read())).toBeUndefined()
  })

  test('one that landed during a long read is not tried again', async () => {
    const { sets, answers, read, write } = createStage()
    const answer = createDeferred<unknown>()
    answers.get = (key) => (key === RECORD_KEY ? answer.promise : undefined)
    const reading = read()
    await write(recordOf())
    await pass(STORE_REST_MS)
    answer.resolve(undefined)
    expect(tokenOf(await reading)).toBe('wyu_1')
    expect(sets).toHaveLength(1)
  })

  test('is one that leaves there what was read before', async () => {
    const { sets, write } = createStage()
    await write(recordOf({ token: 'wyu_2' }), 'wyu_1')
    const isThere = (token: string) => sets[0]?.write.isThere?.(recordOf({ token }))
    expect([isThere('wyu_1'), isThere('wyu_2'), isThere('wyu_of_another_process')]).toEqual([
      false,
      true,
      true,
    ])
    expect(sets[0]?.write.isThere?.(undefined)).toBe(false)
    // Asked for again, the same token is stored.
    await write(recordOf({ token: 'wyu_1' }), 'wyu_1')
    expect(sets[1]?.write.isThere?.(recordOf())).toBe(true)
  })
})

test.each([
  ['and given back', true, 1],
  ['and is somebody else’s for all that is known: nobody gives it back', UNAVAILABLE, 0],
] as const)('a lease may be had %s', async (_, answer, times) => {
  const { records, deleted } = createStage({ lease: async () => answer })
  await (await records.lease?.(OWNER, null))?.release?.()
  expect(deleted).toEqual(Array(times).fill(`weavy-token-lease:${OWNER}:`))
})

describe('a lease that somebody else has', () => {
  function createLeased() {
    const lease = vi.fn(async (_name: string, _ttlMs: number, _isLate: boolean) => false)
    const { records } = createStage({ lease })
    return {
      lease,
      /** Whether it is said to be late. */
      ask: async (generation: string | null = null) => {
        expect(await records.lease?.(OWNER, generation)).toEqual({})
        return lease.mock.lastCall?.[2]
      },
    }
  }

  test('is that of a user and a generation', async () => {
    const { lease, ask } = createLeased()
    await ask()
    await ask('g1')
    expect(lease.mock.calls).toEqual([
      [`weavy-token-lease:${OWNER}:`, LEASE_MS, false],
      [`weavy-token-lease:${OWNER}:g1`, LEASE_MS, false],
    ])
  })

  test('is late when it was had for longer than it may live', async () => {
    const { ask } = createLeased()
    expect(await ask()).toBe(false)
    await pass(LEASE_MS)
    expect(await ask()).toBe(false)
    await pass(1)
    expect(await ask()).toBe(true)
  })

  test('is another one after a pause of more than its life', async () => {
    const { ask } = createLeased()
    expect(await ask()).toBe(false)
    await pass(LEASE_MS + 1)
    expect(await ask()).toBe(false)
  })
})
