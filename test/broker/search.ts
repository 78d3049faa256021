// Searches the orders in which the operations of several processes on one store, and Weavy's answers, can happen. The code
// under search is the real one; only what it waits for is played here.
import { vi } from 'vitest'
import type { Ask } from '../../src/broker/decide.js'
import { createMemoryStore, guardStore, type TokenStore } from '../../src/broker/store.js'
import { createTokenRecords } from '../../src/broker/token-records.js'
import { createUserTokens, LEASE_POLL_MS, type UserTokens } from '../../src/broker/user-tokens.js'

/** Something that was asked for and has not happened yet. */
interface Pending {
  readonly process: string
  readonly name: string
  /** Operations that a process asks for at once reach the store together. */
  readonly batch: number
  happen(): void
}

export interface World {
  /** A process, made at the first call. */
  process(name: string): UserTokens
  /** Runs beside everything else that was begun, from any moment on. */
  begin(work: () => Promise<void>): void
  /** What a page got, after `ask`. */
  get(process: string, ask: Ask): Promise<string>
  /** The token that was issued in call number 1, 2, … */
  readonly calls: readonly string[]
  readonly stored: Map<string, unknown>
  /** How many operations and answers have happened: the time of this world. */
  now(): number
  /** When Weavy was asked for a token. */
  calledAt(token: string): number
  /** How often nothing could happen but that time went by, and a poll came. */
  readonly polls: number
}

export interface Scenario {
  /** Begins what is to happen in all orders. */
  start(world: World): void
  /** After it: asks, and throws when a promise was broken. */
  check(world: World): Promise<void>
}

export interface Rules {
  /** Whether the store has `lease`. */
  hasLease: boolean
  /** How many writes may be answered with an error and land later. */
  lateWrites?: number
  /** How many looks of a process that waits for a lease may come although something else could happen. */
  earlyPolls?: number
}

const OWNER_UID = 'u256'
export const ENVIRONMENT = { weavyUrl: 'https://acme.weavy.test', apiKey: 'wys_key' }

/** Promises of the code under search need no more turns than this to come to rest. */
const TURNS = 24

async function rest() {
  for (let turn = 0; turn < TURNS; turn += 1) await null
}

/** Runs the scenario once. `choose` gets how many ways there are to go on, and says which. */
async function run(scenario: Scenario, rules: Rules, choose: (ways: number) => number): Promise<void> {
  const pending: Pending[] = []
  const stored = new Map<string, unknown>()
  const leases = new Set<string>()
  const calls: string[] = []
  const calledAt = new Map<string, number>()
  const processes = new Map<string, UserTokens>()
  let now = 0
  let batch = 0
  let polls = 0
  let lateWrites = rules.lateWrites ?? 0
  let earlyPolls = rules.earlyPolls ?? 0
  let working = 0
  let failure: { error: unknown } | undefined

  function later<T>(process: string, name: string, effect: () => T): Promise<T> {
    return new Promise<T>((resolve) => {
      pending.push({ process, name, batch, happen: () => resolve(effect()) })
    })
  }

  function storeOf(process: string): TokenStore {
    return {
      get: (key) => later(process, 'get', () => stored.get(key)),
      set: (key, value) =>
        new Promise<boolean>((resolve, reject) => {
          const land = () => void stored.set(key, value)
          pending.push({
            process,
            name: 'set',
            batch,
            happen() {
              land()
              resolve(true)
            },
          })
          if (lateWrites > 0 && typeof value === 'object') {
            pending.push({
              process,
              name: 'fail',
              batch,
              happen() {
                lateWrites -= 1
                reject(new Error('too slow'))
                pending.push({ process, name: 'land', batch: -1, happen: land })
              },
            })
          }
        }),
      delete: (key) =>
        later(process, 'delete', () => {
          leases.delete(key)
          stored.delete(key)
        }),
      ...(rules.hasLease && {
        lease: (key: string) =>
          later(process, 'lease', () => {
            const isFree = !leases.has(key)
            leases.add(key)
            return isFree
          }),
      }),
    }
  }

  function create(name: string): UserTokens {
    const memory = {
      tokens: createMemoryStore(10),
      profiles: createMemoryStore(10),
      flights: new Map(),
      turn: 0,
    }
    const weavy = {
      issueToken: () => {
        const token = `wyu_${calls.length + 1}`
        calls.push(token)
        calledAt.set(token, now)
        return later(name, 'post', () => ({ token, lifetimeMs: 3_600_000 }))
      },
      upsertUser: async () => {},
      takesProfiles: () => true,
    }
    const records = createTokenRecords(
      guardStore(storeOf(name), () => {}),
      memory,
      3_600_000,
    )
    return createUserTokens(weavy, records, memory.flights)
  }

  const world: World = {
    process(name) {
      const process = processes.get(name) ?? create(name)
      processes.set(name, process)
      return process
    },
    begin(work) {
      working += 1
      later('', 'begin', () => {})
        .then(work)
        .catch((error: unknown) => {
          failure ??= { error }
        })
        .finally(() => {
          working -= 1
        })
    },
    async get(process, ask) {
      const { record } = await world.process(process).get(ENVIRONMENT, OWNER_UID, {}, ask)
      return record.token
    },
    calls,
    stored,
    now: () => now,
    calledAt: (token) => calledAt.get(token) ?? -1,
    get polls() {
      return polls
    },
  }

  /** A write that failed or landed is over; the other half of its choice goes. */
  function take(one: Pending) {
    const index = pending.indexOf(one)
    pending.splice(index, 1)
    const twin = { set: 'fail', fail: 'set' }[one.name]
    const other = pending.findIndex(
      (p) => p.name === twin && p.process === one.process && p.batch === one.batch,
    )
    if (twin && other >= 0) pending.splice(other, 1)
    one.happen()
    if (one.name !== 'get') return
    for (const more of pending.filter(
      (p) => p.name === 'get' && p.process === one.process && p.batch === one.batch,
    )) {
      pending.splice(pending.indexOf(more), 1)
      more.happen()
    }
  }

  /** One way to go on for each batch of reads and for each other operation. */
  function ways(): (Pending | 'poll')[] {
    const seen = new Set<string>()
    const some: (Pending | 'poll')[] = pending.filter((p) => {
      const id = `${p.process} ${p.batch}`
      if (p.name === 'get' && seen.has(id)) return false
      if (p.name !== 'get') return p.name !== 'fail' || lateWrites > 0
      seen.add(id)
      return true
    })
    // Somebody waits for a lease: his next look may come at any moment.
    const isWaitedFor = new Set(pending.map(({ process }) => process)).size === 1 && working > 1
    if (earlyPolls > 0 && isWaitedFor) some.push('poll')
    return some
  }

  function poll() {
    polls += 1
    vi.advanceTimersByTime(LEASE_POLL_MS)
  }

  async function goOn(pick: (ways: number) => number) {
    for (await rest(); ; await rest()) {
      batch += 1
      const open = ways()
      if (open.length === 0) {
        if (working === 0 || polls > 300) return
        poll()
        continue
      }
      const chosen = open[open.length === 1 ? 0 : pick(open.length)]
      now += 1
      if (chosen === 'poll') {
        earlyPolls -= 1
        poll()
      } else if (chosen) take(chosen)
    }
  }

  scenario.start(world)
  await goOn(choose)
  if (failure) throw failure.error
  if (working > 0) throw new Error('Somebody waits for ever')
  world.begin(() => scenario.check(world))
  await goOn(() => 0)
  if (failure) throw (failure as { error: unknown }).error
  if (working > 0) throw new Error('The check waits for ever')
}

/** Runs the scenario in every order and returns in how many. @throws with the choices that broke a promise */
export async function search(scenario: Scenario, rules: Rules): Promise<number> {
  let path: number[] = []
  for (let orders = 1; ; orders += 1) {
    const widths: number[] = []
    const choose = (ways: number) => {
      widths.push(ways)
      return path[widths.length - 1] ?? 0
    }
    try {
      await run(scenario, rules, choose)
    } catch (error) {
      throw new Error(`Order ${orders}, choices ${path.join()}: ${(error as Error).message}`, {
        cause: error,
      })
    } finally {
      vi.clearAllTimers()
    }
    const taken = widths.map((_, depth) => path[depth] ?? 0)
    let last = taken.length - 1
    while (last >= 0 && (taken[last] as number) + 1 >= (widths[last] as number)) last -= 1
    if (last < 0) return orders
    path = [...taken.slice(0, last), (taken[last] as number) + 1]
  }
}
