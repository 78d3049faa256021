import { type Instant, msSince } from './clock.js'
import { TokenError } from './errors.js'
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
}

/** Longest life that is believed: 10^10 seconds, 317 years. Larger numbers would leave the range of Date. */
const MAX_LIFETIME_S = 1e10

/** Milliseconds of life in a broker's `expires_in`: Infinity (unknown) unless it is a finite number or numeric string. */
export function lifetimeMs(expiresIn: unknown): number {
  const seconds = typeof expiresIn === 'string' && expiresIn.trim() !== '' ? Number(expiresIn) : expiresIn
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return Number.POSITIVE_INFINITY
  return Math.min(Math.max(seconds, 0), MAX_LIFETIME_S) * 1000
}

/** Turns a broker's answer into a {@link Token}; throws a TokenError that quotes nothing of it. */
export function parseToken(answer: unknown, asked: Instant, refreshed: boolean, aheadMs?: number): Token {
  const { access_token: value, expires_in } = Object(answer)
  if (value === undefined || value === null || value === '')
    throw new TokenError('bad_response', 'The token broker answered without an access_token.')
  if (!isUserToken(value))
    throw new TokenError(
      'wrong_token',
      typeof value === 'string' && value.startsWith('wys_')
        ? 'The token broker sent an API key (wys_) to the browser. Revoke that key now, and answer with a user access token (wyu_).'
        : 'The token broker answered with something that is not a user access token (wyu_).',
    )
  const life = lifetimeMs(expires_in)
  return { value, asked, lifetimeMs: life, freshMs: freshForMs(life, aheadMs), refreshed }
}

export const isExpired = (token: Token): boolean => msSince(token.asked) >= token.lifetimeMs

/** A token that was made this long ago has as much life as any. */
const JUST_MADE_MS = 5000

/** Whether nothing would be gained by asking for a token with that much life left. */
export function isLongEnough({ asked, lifetimeMs, refreshed }: Token, minValidityMs: number): boolean {
  const age = msSince(asked)
  const isBest = refreshed && (age < JUST_MADE_MS || lifetimeMs <= minValidityMs)
  return lifetimeMs - age >= minValidityMs || isBest
}
