import type { TokenError } from './errors.js'
import { leadMs } from './wire.js'

const SHORT_LEAD_MS = 5000

/** What the wire's lead of 10 % is to a page: a quarter of short lives, because a broker can be slow for seconds. */
const pageLeadMs = (lifetimeMs: number): number =>
  Math.max(leadMs(lifetimeMs), Math.min(lifetimeMs / 4, SHORT_LEAD_MS))

/**
 * Age at which a token of that life is refreshed: `aheadMs` before its end. The default is the last 10 % of the life, at
 * most 60 s, for lives below 50 s up to a quarter and 5 s, and never less than twice what the broker took. Jitter shortens
 * the lead by up to half, so that pages that started together part. Half of the life is the bound.
 */
export function freshForMs(
  lifetimeMs: number,
  aheadMs: number | undefined,
  tookMs: number,
  random: number,
): number {
  const half = lifetimeMs / 2
  const lead = Math.min(aheadMs ?? pageLeadMs(lifetimeMs), half) * (1 - random / 2)
  return lifetimeMs - (aheadMs === undefined ? Math.min(Math.max(lead, 2 * tookMs), half) : lead)
}

const RETRY_MS = [1000, 2000, 2000, 2000, 2000, 2000, 4000, 8000, 15_000, 30_000, 60_000]
const COOLDOWN_MS = [15_000, 30_000, 60_000, 120_000, 240_000]
const SIGNED_OUT_MS = 30_000
const MAX_RETRY_AFTER_MS = 3_600_000

/** How many fresh tokens in a row may be refused before the source gives up for a while. With their delays they take 5 s. */
export const MAX_STRIKES = 5
/** A token that is refused younger than this is a strike; an older one was simply revoked. */
export const REFUSED_AT_ONCE_MS = 5000
/** A wake-up begins the schedule afresh, this often at most. */
export const AFRESH_MS = 30_000

const nth = (steps: readonly number[], n: number): number =>
  steps[Math.min(Math.max(n, 1), steps.length) - 1] as number

/** Delay before the attempt that follows the nth failure in a row. Jitter takes off up to a tenth. */
export const retryDelayMs = (n: number, random: number): number => nth(RETRY_MS, n) * (1 - random / 10)

/** Delay before a refused token is replaced: two are replaced at once, then a loop is suspected. */
export const strikeDelayMs = (strikes: number, random: number): number =>
  strikes > 2 ? retryDelayMs(strikes - 2, random) : 0

/** What a failure means for the next attempt and for those who wait. */
export interface Consequence {
  /** Nobody asks the broker before that. */
  readonly delayMs: number
  /** Callers without a token wait for the next attempt instead of being told at once. */
  readonly holdsCallers: boolean
  /** The source tries again without being asked. */
  readonly retriesUnasked: boolean
  /** Coming online and becoming visible do not shorten the delay. */
  readonly ignoresWake: boolean
}

const isTransient = ({ code, status = 0 }: TokenError): boolean =>
  code === 'unreachable' ||
  code === 'timeout' ||
  code === 'rate_limited' ||
  (code === 'broker_error' && (status >= 500 || status === 408 || status === 425))

/** Whether the app's session is not this user's: it has ended, or is somebody else's now. */
export const isSessionLost = ({ code }: TokenError): boolean => code === 'signed_out' || code === 'other_user'

/** The one retry policy. `n` counts failures in a row, or strikes when the token was `rejected`. */
export function consequenceOf(error: TokenError, n: number, random: number): Consequence {
  const { code, retryAfterMs = 0 } = error
  const isLost = isSessionLost(error)
  const isLoop = code === 'rejected' && n > MAX_STRIKES
  const isNamed = retryAfterMs > 0
  const later = 1 + random / 10
  const delayMs = () => {
    if (isLost) return SIGNED_OUT_MS
    if (isLoop) return nth(COOLDOWN_MS, n - MAX_STRIKES) * later
    // A server that names its time is believed, plus a tenth so that not everybody returns in the same second.
    return isNamed ? Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * later : retryDelayMs(n, random)
  }
  return {
    delayMs: delayMs(),
    holdsCallers: isTransient(error) || (code === 'rejected' && !isLoop),
    retriesUnasked: !isLost && code !== 'offline',
    ignoresWake: isLost || code === 'rejected' || isNamed,
  }
}
