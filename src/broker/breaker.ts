import { LRUCache } from 'lru-cache'
import { Problem } from './problem.js'
import type { Report } from './report.js'
import { DEFAULT_RETRY_AFTER } from './weavy-failure.js'

/** How Weavy does, as far as some users' calls of one kind can tell. Instants are of the monotonic clock. */
export type Health =
  | { readonly status: 'up'; readonly since: number }
  /** One user has met failures and nobody a success since: it may be about that user alone. */
  | { readonly status: 'suspect'; readonly since: number; readonly uid: string }
  | {
      readonly status: 'down'
      readonly since: number
      readonly problem: Problem
      /** No call before that. */
      readonly until: number
      /** When the one call began that is allowed after it. None has: before all time. */
      readonly probedAt: number
    }

export interface BreakerOptions {
  /** A call that has taken longer has been lost: some runtimes end a request's work with its client. */
  maxCallMs: number
  /** Whether one failure of one user is enough. Else two users have to meet one, unless Weavy itself says that it is down. */
  isStrict: boolean
  /** Begins the line about the end: what works again. */
  name: string
}

const UP: Health = { status: 'up', since: Number.NEGATIVE_INFINITY }

/** So many users whose last call failed are kept in mind; the oldest give way. */
const MAX_DOUBTED = 1_000

function restMs({ headers }: Problem): number {
  return Number(headers?.['Retry-After'] ?? DEFAULT_RETRY_AFTER) * 1000
}

/** What a request is told that is turned away. It is not in the log: the failure that it repeats is. */
function turnedAway({ problem, until }: Health & { status: 'down' }, now: number): Problem {
  const seconds = Math.max(1, Math.ceil((until - now) / 1000))
  const code = problem.code === 'weavy_timeout' ? 'weavy_unavailable' : problem.code
  return new Problem(code, undefined, { 'Retry-After': String(seconds) })
}

/** Lets a call begin, or says why not. While Weavy is down one call at a time goes out to see. */
export function admit(health: Health, now: number, maxCallMs: number): readonly [Health, Problem?] {
  if (health.status !== 'down') return [health]
  const isProbed = now - health.probedAt <= maxCallMs
  if (now >= health.until && !isProbed) return [{ ...health, probedAt: now }]
  return [health, turnedAway(health, now)]
}

/** Weavy has answered. What began before the trouble did says nothing about it. */
function answered(health: Health, began: number, now: number): Health {
  return health.status === 'up' || began < health.since ? health : { status: 'up', since: now }
}

/** A call has failed; of one that began before Weavy was up again that is old news. */
export function failed(
  health: Health,
  call: { uid: string; began: number; problem: Problem },
  now: number,
  isStrict: boolean,
): Health {
  const { uid, began, problem } = call
  if (health.status === 'up' && began < health.since) return health
  const since = health.status === 'up' ? now : health.since
  const isSure = isStrict || problem.scope === 'everybody' || health.status === 'down'
  const isSecondUser = health.status === 'suspect' && health.uid !== uid
  if (!isSure && !isSecondUser) return { status: 'suspect', since, uid }
  const until = Math.max(now + restMs(problem), health.status === 'down' ? health.until : 0)
  return { status: 'down', since, problem, until, probedAt: Number.NEGATIVE_INFINITY }
}

/** Keeps an outage of Weavy from costing a call, a wait and a line in the log for each request. */
export interface Breaker {
  /** Makes the call unless Weavy is down. @throws {Problem} */
  run<T>(uid: string, call: () => Promise<T>): Promise<T>
  isDown(): boolean
  /** Whether the last call of this user failed, for a reason that may be his alone. */
  isDoubted(uid: string): boolean
}

/**
 * A user whose last call failed for a reason that may be his alone has had his say: until he has a success, what he meets counts
 * among such users only. So users whom Weavy cannot serve shut out the others once, for one rest. What counts for the
 * others counts for these, too, and a success of anybody is one for all.
 */
export function createBreaker({ maxCallMs, isStrict, name }: BreakerOptions, report: Report): Breaker {
  const doubted = new LRUCache<string, true>({ max: MAX_DOUBTED })
  const health = { others: UP, doubted: UP }
  const all = () => Object.values(health)
  /** Codes that are in the log. */
  let told = new Set<Problem['code']>()
  /** Requests that failed or were turned away. */
  let failures = 0

  function noteAnswer(uid: string, began: number) {
    doubted.delete(uid)
    const before = all()
    const now = performance.now()
    health.others = answered(health.others, began, now)
    health.doubted = answered(health.doubted, began, now)
    if (failures === 0 || all().some(({ status }) => status !== 'up')) return
    // A failure of one request is a line already.
    const isTold = failures === 1 && before.every(({ status }) => status !== 'down')
    if (!isTold) report(`${name}. Requests that failed meanwhile: ${failures}.`)
    told = new Set()
    failures = 0
  }

  /** The problem, and its line only where it is news. */
  function noteFailure(uid: string, group: keyof typeof health, began: number, problem: Problem): Problem {
    const call = { uid, began, problem }
    const now = performance.now()
    const next = failed(health[group], call, now, isStrict)
    if (next === health[group]) return problem
    health[group] = next
    const isForAll = problem.scope === 'everybody' || (group === 'others' && next.status === 'down')
    const rest = group === 'others' ? 'doubted' : 'others'
    if (isForAll) health[rest] = failed(health[rest], call, now, true)
    if (problem.scope === 'unclear') doubted.set(uid, true)
    failures += 1
    const isTold = told.has(problem.code)
    told.add(problem.code)
    return isTold ? new Problem(problem.code, undefined, problem.headers, problem.scope) : problem
  }

  return {
    isDown: () => health.others.status === 'down',
    isDoubted: (uid) => doubted.has(uid),
    async run(uid, call) {
      const group = doubted.has(uid) ? 'doubted' : 'others'
      const began = performance.now()
      const [next, refused] = admit(health[group], began, maxCallMs)
      health[group] = next
      if (refused) {
        failures += 1
        throw refused
      }
      try {
        const result = await call()
        noteAnswer(uid, began)
        return result
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        if (error.scope !== 'user') throw noteFailure(uid, group, began, error)
        noteAnswer(uid, began)
        throw error
      }
    },
  }
}
