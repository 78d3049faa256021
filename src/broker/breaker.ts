import { Problem } from './problem.js'
import type { Report } from './report.js'
import { DEFAULT_RETRY_AFTER } from './weavy-failure.js'

/** How Weavy does, as far as the calls of one kind can tell. Instants are of the monotonic clock. */
export type Health =
  | { readonly status: 'up'; readonly since: number }
  /** One user has met failures and nobody a success since: it may be about that user alone. */
  | (Trouble & { readonly status: 'suspect'; readonly uid: string })
  | (Trouble & {
      readonly status: 'down'
      readonly problem: Problem
      /** No call before that. */
      readonly until: number
      /** When the one call began that is allowed after it. */
      readonly probedAt: number | undefined
    })

interface Trouble {
  readonly since: number
  /** Codes that are in the log. */
  readonly told: readonly Problem['code'][]
  /** Requests that failed or were turned away. */
  readonly failures: number
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

function restMs({ headers }: Problem): number {
  return Number(headers?.['Retry-After'] ?? DEFAULT_RETRY_AFTER) * 1000
}

/** What a request is told that is turned away. It is not in the log: the failure that it repeats is. */
function turnedAway({ problem, until }: Health & { status: 'down' }, now: number): Problem {
  const seconds = Math.max(1, Math.ceil((until - now) / 1000))
  const code = problem.code === 'weavy_timeout' ? 'weavy_unavailable' : problem.code
  return new Problem(code, undefined, { 'Retry-After': String(seconds) }, 'everybody')
}

/** Lets a call begin, or says why not. While Weavy is down one call at a time goes out to see. */
export function admit(health: Health, now: number, maxCallMs: number): readonly [Health, Problem?] {
  if (health.status !== 'down') return [health]
  const isProbed = health.probedAt !== undefined && now - health.probedAt <= maxCallMs
  if (now >= health.until && !isProbed) return [{ ...health, probedAt: now }]
  return [{ ...health, failures: health.failures + 1 }, turnedAway(health, now)]
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
  const before: Trouble = health.status === 'up' ? { since: now, told: [], failures: 0 } : health
  const trouble = {
    since: before.since,
    told: before.told.includes(problem.code) ? before.told : [...before.told, problem.code],
    failures: before.failures + 1,
  }
  const isSure = isStrict || problem.scope === 'everybody' || health.status === 'down'
  const isSecondUser = health.status === 'suspect' && health.uid !== uid
  if (!isSure && !isSecondUser) return { ...trouble, status: 'suspect', uid }
  const until = Math.max(now + restMs(problem), health.status === 'down' ? health.until : 0)
  return { ...trouble, status: 'down', problem, until, probedAt: undefined }
}

/** Keeps an outage of Weavy from costing a call, a wait and a line in the log for each request. */
export interface Breaker {
  /** Makes the call unless Weavy is down. @throws {Problem} */
  run<T>(uid: string, call: () => Promise<T>): Promise<T>
  isDown(): boolean
}

export function createBreaker({ maxCallMs, isStrict, name }: BreakerOptions, report: Report): Breaker {
  let health = UP

  function noteAnswer(began: number) {
    const before = health
    health = answered(health, began, performance.now())
    if (before === health || before.status === 'up') return
    // A failure of one request is a line already.
    if (before.status === 'suspect' && before.failures === 1) return
    report(`${name}. Requests that failed meanwhile: ${before.failures}.`)
  }

  /** The problem, and its line only where it is news. */
  function noteFailure(uid: string, began: number, problem: Problem): Problem {
    const isTold = health.status !== 'up' && health.told.includes(problem.code)
    health = failed(health, { uid, began, problem }, performance.now(), isStrict)
    return isTold ? new Problem(problem.code, undefined, problem.headers, problem.scope) : problem
  }

  return {
    isDown: () => health.status === 'down',
    async run(uid, call) {
      const began = performance.now()
      const [next, refused] = admit(health, began, maxCallMs)
      health = next
      if (refused) throw refused
      try {
        const result = await call()
        noteAnswer(began)
        return result
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        if (error.scope !== 'user') throw noteFailure(uid, began, error)
        noteAnswer(began)
        throw error
      }
    },
  }
}
