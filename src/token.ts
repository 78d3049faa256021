import { type Instant, msSince } from './clock.js'
import { TokenError } from './errors.js'
import { badResponse, unknownFailure } from './request-failure.js'
import { freshForMs } from './schedule.js'
import { isUserToken } from './wire.js'

/** A user access token as this library keeps it. Opaque: nothing is parsed out of the value. */
export interface Token {
  readonly value: string
  /** When the request that brought it was sent. A life counts from there, so no slow or suspended answer lengthens it. */
  readonly asked: Instant
  /** Infinity when the broker did not say. */
  readonly lifetimeMs: number
  /** Age at which a newer one is wanted. */
  readonly freshMs: number
  /** Whether it came as the answer to `refresh=true`. */
  readonly refreshed: boolean
  /** The broker's name of its user. */
  readonly sub: string | undefined
}

/** What is known of the request that an answer answers. */
export interface Asked {
  readonly sent: Instant
  readonly refresh: boolean
}

/** Longest life that is believed: 10^10 seconds, 317 years. Larger numbers would leave the range of Date. */
const MAX_LIFETIME_S = 1e10

/** Milliseconds of life in a broker's `expires_in`: Infinity (unknown) unless it is a finite number or numeric string. */
export function lifetimeMs(expiresIn: unknown): number {
  const seconds = typeof expiresIn === 'string' && expiresIn.trim() ? Number(expiresIn) : expiresIn
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds as number, 0), MAX_LIFETIME_S) * 1000 : Infinity
}

function read(
  answer: unknown,
  { sent, refresh }: Asked,
  aheadMs: number | undefined,
  now: Instant,
  random: number,
) {
  const { access_token: value, expires_in, sub } = Object(answer)
  if (value == null || value === '') throw badResponse('The token broker answered without an access_token.')
  if (!isUserToken(value))
    throw new TokenError(
      'wrong_token',
      typeof value === 'string' && value.startsWith('wys_')
        ? 'The token broker sent an API key (wys_) to the browser. Revoke that key now, and answer with a user access token (wyu_).'
        : 'The token broker answered with something that is not a user access token (wyu_).',
    )
  const life = lifetimeMs(expires_in)
  return {
    value,
    asked: sent,
    lifetimeMs: life,
    freshMs: freshForMs(life, aheadMs, msSince(sent, now), random),
    refreshed: refresh,
    sub: typeof sub === 'string' && sub ? sub : undefined,
  }
}

/** Turns a broker's answer into a {@link Token}, or into a TokenError that quotes nothing of it. */
export function parseToken(...args: Parameters<typeof read>): Token | TokenError {
  try {
    return read(...args)
  } catch (error) {
    // An answer of the app's own may throw where it is read.
    return unknownFailure(error)
  }
}

export const isExpired = (token: Token, now: Instant): boolean =>
  msSince(token.asked, now) >= token.lifetimeMs

/** A token that was made this long ago has as much life as any. */
const JUST_MADE_MS = 5000

/** Whether nothing would be gained by asking for a token with that much life left. */
export function isLongEnough(token: Token, minValidityMs: number, now: Instant): boolean {
  const age = msSince(token.asked, now)
  const isBest = token.refreshed && (age < JUST_MADE_MS || token.lifetimeMs <= minValidityMs)
  return token.lifetimeMs - age >= minValidityMs || isBest
}
