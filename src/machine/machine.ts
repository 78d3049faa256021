import { type Instant, msSince, NO_WAIT, remainingMs, type Wait } from '../clock.js'
import { TokenError } from '../errors.js'
import { type Consequence, consequenceOf, isSessionLost } from '../schedule.js'
import { isExpired, type Token } from '../token.js'
import type { RequestEvent, TokenState } from '../types.js'
import { slotFreeInMs } from './rate-limit.js'
import { learn, type Subs, type User, whose } from './subs.js'

/** What a source was made with, and what never changes. */
export interface Settings {
  readonly refreshAheadMs: number | undefined
  readonly timeoutMs: number
  readonly maxWaitMs: number
}

/** A caller without a token. */
interface Waiter {
  readonly id: number
  readonly since: Instant
  /** A valid token whose remaining life is too short for this caller. */
  readonly tooShort: Token | undefined
  /** It slept through its time, and had it once more. */
  readonly hasSlept: boolean
  /** A refused token that this caller takes all the same, if the broker gives it again. */
  readonly orSame: string | undefined
}

/** The request in the air. Only the flight that the machine names may land. */
export interface Flight {
  readonly id: number
  readonly sent: Instant
  readonly refresh: boolean
  readonly reason: RequestEvent['reason']
  /** The first request brought a token that was dead already, and this one follows at once. */
  readonly isSecond: boolean
}

/** What ends with a user, a `clear()` or a `close()`. */
interface Epoch {
  readonly waiters: readonly Waiter[]
  readonly flight: Flight | undefined
  /** The last good one. It may have expired; one that was refused is dropped. */
  readonly token: Token | undefined
  readonly failure: (Consequence & { readonly error: TokenError }) | undefined
  /** Nobody asks the broker before it is over. */
  readonly wait: Wait
  readonly failures: number
  /** Tokens in a row that were refused at once, or given although they had been refused. */
  readonly strikes: number
  /** The last 1,000 that Weavy refused. A broker that gives one back says that it lives, so no life ends here. */
  readonly refused: ReadonlySet<string>
  /** The refused token that the next answer is to replace. */
  readonly rejected: string | undefined
  /** The refused token that the broker gave in its own place. */
  readonly insisted: Token | undefined
  /** The last token that the broker gave, accepted or not. */
  readonly received: string | undefined
  /** There has been a token: from now on the source sees to a newer one, and tells the broker to replace its own. */
  readonly isKept: boolean
  /** The page was in the back/forward cache, or goes there, and the broker has not answered since. */
  readonly isRestored: boolean
  /** It is there: nothing is asked for unasked. */
  readonly isAway: boolean
}

/** All that a source knows, as one immutable value. */
export interface Machine extends Epoch {
  readonly settings: Settings
  readonly isClosed: boolean
  readonly user: User
  readonly subs: Subs
  /** The slots that were taken, and are not paid back yet. */
  readonly debt: Wait
  /** When a wake-up last began the schedule afresh. */
  readonly wokeAt: Instant | undefined
  readonly lastFlight: number
}

const NEW_EPOCH: Epoch = {
  waiters: [],
  flight: undefined,
  token: undefined,
  failure: undefined,
  wait: NO_WAIT,
  failures: 0,
  strikes: 0,
  refused: new Set(),
  rejected: undefined,
  insisted: undefined,
  received: undefined,
  isKept: false,
  isRestored: false,
  isAway: false,
}

/** What a user begins with. `null` is nobody, who is told so without a request. */
export const newEpoch = (user: User): Epoch => {
  if (user !== null) return NEW_EPOCH
  const error = new TokenError('signed_out', 'Nobody is signed in.')
  return { ...NEW_EPOCH, failure: { ...consequenceOf(error, 1, 0), error } }
}

export const beginMachine = (settings: Settings, user: User, sub: string | undefined): Machine => ({
  ...newEpoch(user),
  settings,
  user,
  isClosed: false,
  subs: learn([], user, sub, true),
  debt: NO_WAIT,
  wokeAt: undefined,
  lastFlight: 0,
})

/** Whether a token may be this user's, by all that is known. */
export const accepts = (machine: Machine, { value, sub }: Pick<Token, 'value' | 'sub'>): boolean =>
  !machine.refused.has(value) && whose(machine.subs, machine.user, sub) === 'ours'

/** What `getToken` may hand out. */
export const usable = ({ token }: Machine, now: Instant): Token | undefined =>
  token && !isExpired(token, now) ? token : undefined

/** Whether nothing is asked of the broker, whatever happens. */
export const isAtRest = ({ isClosed, user }: Machine): boolean => isClosed || user === null

/** Whether a request is wanted now; `asked` when somebody has just asked for a token. */
export function isDue(machine: Machine, now: Instant, asked: boolean): boolean {
  const { waiters, failure, isKept, isRestored, isAway } = machine
  if (isAway && !asked) return false
  if (waiters.length) return true
  if (failure) return asked || failure.retriesUnasked
  const token = usable(machine, now)
  return token ? msSince(token.asked, now) >= token.freshMs : isKept || isRestored
}

/** Milliseconds until a request may be sent; 0 or less: now. */
export const pauseMs = ({ wait, debt }: Machine, now: Instant): number =>
  Math.max(remainingMs(wait, now), slotFreeInMs(debt, now))

const EMPTY: TokenState = { status: 'empty' }

/** The state that an app is shown. */
export function describe(machine: Machine, now: Instant): TokenState {
  if (machine.isClosed) return EMPTY
  const token = usable(machine, now)
  const error = machine.failure?.error
  if (token) {
    const end = token.asked.wall + token.lifetimeMs
    const held = { token: token.value, expiresAt: end < Infinity ? end : null }
    return error ? { status: 'stale', ...held, error } : { status: 'ready', ...held }
  }
  if (error) return { status: isSessionLost(error) ? 'signed-out' : 'failed', error }
  return machine.flight || isDue(machine, now, true) ? { status: 'fetching' } : EMPTY
}

/** A change is something that an app would show; one failure like the one before is none. */
export const isSameState = (
  a: Partial<TokenState & { token: string; expiresAt: number | null; error: TokenError }>,
  b: typeof a,
): boolean =>
  a.status === b.status &&
  a.token === b.token &&
  a.expiresAt === b.expiresAt &&
  a.error?.code === b.error?.code &&
  a.error?.message === b.error?.message

/** Milliseconds until the clock has to be looked at again; Infinity: never, unless something happens. */
export function nextAlarm(machine: Machine, now: Instant): number {
  const { waiters, flight, settings } = machine
  const { maxWaitMs } = settings
  const times = waiters.map(({ since }) => (maxWaitMs ? maxWaitMs - msSince(since, now) : Infinity))
  if (!flight && isDue(machine, now, false)) times.push(pauseMs(machine, now))
  const token = usable(machine, now)
  if (token) {
    const age = msSince(token.asked, now)
    times.push((age < token.freshMs ? token.freshMs : token.lifetimeMs) - age)
  }
  return Math.min(...times)
}
