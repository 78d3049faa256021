import { isUserToken, leadMs } from '../wire.js'

/**
 * How long after a replacement further `refresh=true` get the same token, so that many tabs cost one call. Half of the
 * life at most: a page asks for the next one when its token is near the end, and must not get that one again.
 */
export const REPLACEMENT_WINDOW_MS = 5_000

/** A token as it lies in the store. Instants are epoch milliseconds, because processes share them. */
export interface StoredToken {
  token: string
  /** When it was asked for: time that the answer took counts as life that has passed. */
  issuedAt: number
  lifetimeMs: number
  /** When `refresh=true` brought it; null for one that was issued because there was none. */
  replacedAt: number | null
}

/** What a store holds may be foreign, of another version, or broken: anything unexpected counts as missing. */
export function parseStoredToken(value: unknown): StoredToken | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { token, issuedAt, lifetimeMs, replacedAt } = value as Record<keyof StoredToken, unknown>
  if (!isUserToken(token) || !isFiniteNumber(issuedAt) || !isFiniteNumber(lifetimeMs)) return undefined
  if (replacedAt !== null && !isFiniteNumber(replacedAt)) return undefined
  return { token, issuedAt, lifetimeMs, replacedAt }
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

/** Milliseconds of life left; never more than the lifetime, whatever happened to the clock. */
export function remainingMs({ issuedAt, lifetimeMs }: StoredToken, now: number): number {
  return Math.min(lifetimeMs, issuedAt + lifetimeMs - now)
}

/** Milliseconds until the token is no longer handed out from the store: the last 10 % of its life, 60 s at most. */
export function reusableMs(stored: StoredToken, now: number): number {
  const marginMs = leadMs(stored.lifetimeMs)
  // Issued in the future: this clock was set back, or the issuer's is ahead. The margin makes up for a little of that.
  const isFromFuture = stored.issuedAt - now > marginMs
  return isFromFuture ? 0 : remainingMs(stored, now) - marginMs
}

export function wasJustReplaced({ replacedAt, lifetimeMs }: StoredToken, now: number): boolean {
  const windowMs = Math.min(REPLACEMENT_WINDOW_MS, lifetimeMs / 2)
  return replacedAt !== null && Math.abs(now - replacedAt) < windowMs
}
