import { LRUCache } from 'lru-cache'
import { type Ask, alsoRefused, type Decision, decide, type Plan } from './decide.js'
import { digest } from './digest.js'
import { Problem } from './problem.js'
import { sharesFlights } from './process-memory.js'
import type { Profile } from './profile.js'
import { remainingMs, type TokenRecord } from './record.js'
import { STORE_TIMEOUT_MS } from './store.js'
import type { Reading, TokenRecords } from './token-records.js'
import type { Environment, WeavyApi } from './weavy-api.js'
import { isThenable, TimeoutError, within } from './within.js'

/** How long a request waits for a token. Below the 10 s after which a page gives up. */
export const FLIGHT_TIMEOUT_MS = 9_500
/** So long after its start a flight waits for its write. With the read before it, still within the time of a request. */
const WRITE_UNTIL_MS = FLIGHT_TIMEOUT_MS - STORE_TIMEOUT_MS - 100
/** How often a process looks whether the one that has the lease has written. */
export const LEASE_POLL_MS = 50

/** A digest costs microseconds, which is much of what a request with a stored token costs. All brokers share them. */
const digests = new LRUCache<string, string>({ max: 10_000, memoMethod: (text) => digest(text) })

/** A token, and how it came. */
export interface Outcome {
  readonly record: TokenRecord
  readonly how: 'reused' | 'issued' | 'replaced'
  /** Whether this request made the call to Weavy. */
  readonly called: boolean
}

export interface UserTokens {
  /** What is stored, if that is what was asked for; else what Weavy gives, with one call at a time for a user. */
  get(environment: Environment, uid: string, profile: Profile, ask: Ask): Outcome | Promise<Outcome>
  /** Whether the store has taken it. What is on its way now is not stored. */
  forget(environment: Environment, uid: string): Promise<boolean>
}

/** One call to Weavy, which requests share. */
export interface Flight {
  readonly key: string
  /** By the monotonic clock. */
  readonly startedAt: number
  /** What those who joined have been refused: it is replaced by what this flight brings. */
  readonly refused: string[]
  /** Whether what it brings may no longer be stored: forgotten, or given up. */
  isDetached: boolean
  /** Whether Weavy has answered. From here on the token can be read from the store, and be refused. */
  isAnswered: boolean
  readonly landing: Promise<Landing>
}

interface Landing {
  readonly record: TokenRecord
  readonly how: 'issued' | 'replaced'
  /** False: another process had stored it meanwhile, and somebody may have been refused it since. */
  readonly isNew: boolean
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

interface Request {
  readonly environment: Environment
  readonly uid: string
  readonly owner: string
  readonly key: string
  readonly profile: Profile
  readonly ask: Ask
}

/** One token per user: from the records, or from Weavy. */
export function createUserTokens(
  weavy: WeavyApi,
  records: TokenRecords,
  flights: Map<string, Flight>,
): UserTokens {
  const ownerOf = ({ weavyUrl }: Environment, uid: string) => `${digests.memo(weavyUrl)}:${digests.memo(uid)}`

  async function issue(flight: Flight, request: Request, reading: Reading, plan: Plan): Promise<Landing> {
    const { environment, uid, owner, key, profile } = request
    const { generation } = reading
    const issuedAt = Date.now()
    const { token, lifetimeMs } = await weavy.issueToken(environment, uid, profile)
    flight.isAnswered = true
    const now = Date.now()
    if (remainingMs({ issuedAt, lifetimeMs }, now) <= 0) {
      throw tooLate()
    }
    // Weavy may give the same token again; then nothing was replaced.
    const own = digest(token)
    const refused = alsoRefused(plan.refused, ...flight.refused).filter((refusal) => refusal !== own)
    const replacedAt = plan.isReplacement ? now : null
    const version = (reading.record?.version ?? 0) + 1
    const { paidUntil } = plan
    const life = { token, issuedAt, lifetimeMs, replacedAt, refused, paidUntil }
    const record = { owner, key, generation, version, ...life }
    if (!flight.isDetached) await inTime(flight, records.write(record, reading))
    return { record, how: plan.isReplacement ? 'replaced' : 'issued', isNew: true }
  }

  /** A token that has come is the answer, however long the store takes. */
  async function inTime(flight: Flight, written: Promise<void>) {
    try {
      await within(Math.max(0, flight.startedAt + WRITE_UNTIL_MS - performance.now()), written)
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
    }
  }

  /** With the lease, or as if there were none. Whoever had it before may have written, so the record is read again. */
  async function issueWithLease(flight: Flight, request: Request, first: Reading): Promise<Landing> {
    const { owner, key, ask } = request
    for (let reading = first; ; ) {
      const lease = await records.lease?.(owner, reading.generation)
      reading = await records.read(owner, key)
      try {
        const decision = decide(reading.record, ask, Date.now())
        if (decision.is === 'serve') return { record: decision.record, how: 'replaced', isNew: false }
        if (decision.is === 'wait') throw tooOften(decision)
        if (lease?.release) return await issue(flight, request, reading, decision.plan)
      } finally {
        await lease?.release?.()
      }
      if (flight.isDetached) throw new Problem('weavy_timeout')
      await sleep(LEASE_POLL_MS)
    }
  }

  function takeOff(request: Request, reading: Reading, plan: Plan): Flight {
    const { owner, key } = request
    const start = performance.now()
    const flight: Flight = {
      key,
      startedAt: start,
      refused: [],
      isDetached: false,
      isAnswered: false,
      get landing() {
        return landing
      },
    }
    if (sharesFlights()) flights.set(owner, flight)
    const work = records.lease
      ? issueWithLease(flight, request, reading)
      : issue(flight, request, reading, plan)
    const landing = work.finally(() => {
      if (flights.get(owner) === flight) flights.delete(owner)
    })
    return flight
  }

  /** The flight that this request may wait for: one whose end nobody would hear of is nobody's. */
  function joinable({ owner, key }: Request): Flight | undefined {
    const flight = flights.get(owner)
    if (!flight || flight.key !== key) return undefined
    return performance.now() - flight.startedAt < FLIGHT_TIMEOUT_MS ? flight : undefined
  }

  async function land(request: Request, flight: Flight, deadline: number): Promise<Landing> {
    try {
      return await within(Math.max(deadline - performance.now(), 0), flight.landing)
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      // It may never land (some runtimes end a request's work with its client): the next request starts afresh.
      detach(request.owner, flight)
      throw new Problem('weavy_timeout', `No token within ${FLIGHT_TIMEOUT_MS} ms.`)
    }
  }

  function detach(owner: string, flight: Flight) {
    flight.isDetached = true
    if (flights.get(owner) === flight) flights.delete(owner)
  }

  async function obtain(request: Request, first: Reading | PromiseLike<Reading>): Promise<Outcome> {
    const { owner, key, ask } = request
    const deadline = performance.now() + FLIGHT_TIMEOUT_MS
    for (let reading = await first; ; reading = await records.read(owner, key)) {
      const decision = decide(reading.record, ask, Date.now())
      if (decision.is === 'serve') return reused(decision.record)
      const joined = joinable(request)
      if (!joined && decision.is === 'wait') throw tooOften(decision)
      if (joined && ask.wants === 'healed') joined.refused.push(ask.refused)
      const flight = joined ?? takeOff(request, reading, (decision as Decision & { is: 'call' }).plan)
      const isInTime = !flight.isAnswered
      const { record, how, isNew } = await land(request, flight, deadline)
      if (isNew && isInTime) return { record, how, called: flight !== joined }
      if (!joined) return reused(record)
    }
  }

  return {
    get(environment, uid, profile, ask) {
      const key = digests.memo(environment.apiKey)
      const request = { environment, uid, owner: ownerOf(environment, uid), key, profile, ask }
      const reading = records.read(request.owner, key)
      if (isThenable(reading)) return obtain(request, reading)
      // A store in this process has answered by now.
      const decision = decide(reading.record, ask, Date.now())
      return decision.is === 'serve' ? reused(decision.record) : obtain(request, reading)
    },
    forget(environment, uid) {
      const owner = ownerOf(environment, uid)
      const flight = flights.get(owner)
      if (flight) detach(owner, flight)
      return records.forget(owner)
    },
  }
}

const reused = (record: TokenRecord): Outcome => ({ record, how: 'reused', called: false })

/** The problem with a token that died before it could be the answer. */
export const tooLate = () =>
  new Problem('weavy_timeout', 'Issuing a token failed: it took longer than the token lives.')

function tooOften({ ms }: { ms: number }): Problem {
  return new Problem('replaced_too_often', undefined, { 'Retry-After': String(Math.ceil(ms / 1000)) })
}
