import type { TokenError } from './errors.js'
import { leadMs } from './wire.js'

const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Age at which a token of that life is refreshed: the last 10 % of the life, at most 60 s, or `aheadMs`, never more
 * than half of the life. Jitter shortens the lead by up to half, so that pages that started together part.
 */
export function freshForMs(lifetimeMs: number, aheadMs?: number, random = Math.random()): number {
  if (lifetimeMs === Number.POSITIVE_INFINITY) return lifetimeMs
  const ahead = Math.min(aheadMs ?? leadMs(lifetimeMs), lifetimeMs / 2)
  return lifetimeMs - ahead * (1 - random / 2)
}

const RETRY_MS = [1000, 2000, 2000, 2000, 2000, 2000, 4000, 8000, 15_000, 30_000, 60_000]
const COOLDOWN_MS = [15_000, 30_000, 60_000, 120_000, 240_000]
const SIGNED_OUT_MS = 30_000
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * How many refusals in a row, each of them of a fresh token, before the source gives up for a while. With their delays
 * they take 7 s: a broker that shares one replacement among many tabs for 5 s is given the time to make another.
 */
export const MAX_STRIKES = 5
/** A token that is refused younger than this is a strike; an older one was simply revoked. */
export const REFUSED_AT_ONCE_MS = 30_000

const nth = (steps: readonly number[], n: number): number =>
  steps[Math.min(Math.max(n, 1), steps.length) - 1] as number

/** Delay before the attempt that follows the nth failure in a row. Jitter takes off up to a tenth. */
export const retryDelayMs = (n: number, random = Math.random()): number =>
  nth(RETRY_MS, n) * (1 - random / 10)

/** What a failure means for the next attempt and for those who wait. */
export interface Consequence {
  /** Nobody asks the broker before that. */
  readonly delayMs: number
  /** Callers without a token wait for the next attempt instead of being told at once. */
  readonly waits: boolean
  /** The source tries again without being asked. */
  readonly alone: boolean
  /** Coming online and becoming visible do not shorten the delay. */
  readonly firm: boolean
}

const isTransient = ({ code, status = 0 }: TokenError): boolean =>
  code === 'unreachable' ||
  code === 'timeout' ||
  code === 'rate_limited' ||
  (code === 'broker_error' && (status >= 500 || status === 408 || status === 425))

/** The one retry policy. `n` counts failures in a row, or strikes when the token was `rejected`. */
export function consequenceOf(error: TokenError, n: number, random = Math.random()): Consequence {
  const { code, retryAfterMs = 0 } = error
  if (code === 'signed_out') return { delayMs: SIGNED_OUT_MS, waits: false, alone: false, firm: true }
  const later = 1 + random / 10
  if (code === 'rejected' && n > MAX_STRIKES)
    return { delayMs: nth(COOLDOWN_MS, n - MAX_STRIKES) * later, waits: false, alone: true, firm: true }
  const named = retryAfterMs > 0
  return {
    // A server that names its time is believed, plus a tenth so that not everybody returns in the same second.
    delayMs: named ? Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * later : retryDelayMs(n, random),
    waits: code === 'rejected' || isTransient(error),
    alone: code !== 'offline',
    firm: code === 'rejected' || named,
  }
}

const SLOT_MS = 3000
const BURST = 9

/**
 * The rate limit, as one number: when all slots taken so far are paid back. Nine requests may come at once, then one
 * every 3 s; a flight may need a second request, which makes at most 30 in any 60 s.
 */
export const takeSlot = (paidAt: number, now: number): number => Math.max(paidAt, now) + SLOT_MS
/** The earliest moment at which another slot may be taken. */
export const slotFreeAt = (paidAt: number): number => paidAt - (BURST - 1) * SLOT_MS

/** The one timer of a source. It never keeps a process alive and never overflows: it may ring early, so look again. */
export function createAlarm(ring: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    /** Infinity: no timer. */
    set(delayMs: number) {
      clearTimeout(timer)
      if (delayMs === Number.POSITIVE_INFINITY) return
      timer = setTimeout(ring, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS))
      // A number in browsers, an object in Node.
      ;(timer as { unref?: () => void }).unref?.()
    },
  }
}
