import { isUserToken, leadMs } from '../wire.js'
import { safely } from './safely.js'

/** What is known of one user's token, as it lies in the store: plain JSON. Instants are epoch milliseconds, because processes share them. */
export interface TokenRecord {
  /** Digests of the environment and of the uid: a store that folds keys must not hand out another user's token. */
  owner: string
  /** Digest of the API key that the token was issued with: after a rotation it is not handed out any more. */
  key: string
  /** What `forget()` had written last when the call to Weavy began. */
  generation: string | null
  /** One more than that of the record it replaces: clocks of processes differ, and this tells which is newer. */
  version: number
  token: string
  /** When it was asked for: time that the answer took counts as life that has passed. */
  issuedAt: number
  lifetimeMs: number
  /** When `refresh=true` brought it; null for one that was issued because there was none. */
  replacedAt: number | null
  /** Digests of tokens that were refused, and have been replaced for it; the newest last. */
  refused: readonly string[]
  /** Until when this user's replacements are paid for, one per interval. In the past: all of the allowance is there. */
  paidUntil: number
}

/** How many digests of refused tokens a record lists. */
export const MAX_REFUSED = 8

const isFiniteNumber = (value: unknown): value is number => Number.isFinite(value)

const isDigests = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_REFUSED && value.every((entry) => typeof entry === 'string')

function parse(value: unknown, owner: string, maxLifetimeMs: number): TokenRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const record = value as { [Field in keyof TokenRecord]: unknown }
  const { key, generation, version, token, issuedAt, lifetimeMs, replacedAt, refused, paidUntil } = record
  if (record.owner !== owner || typeof key !== 'string') return undefined
  if (generation !== null && typeof generation !== 'string') return undefined
  if (!isUserToken(token) || !isFiniteNumber(issuedAt) || !isFiniteNumber(lifetimeMs)) return undefined
  if (replacedAt !== null && !isFiniteNumber(replacedAt)) return undefined
  if (!isDigests(refused) || !isFiniteNumber(paidUntil) || !isFiniteNumber(version)) return undefined
  const cutMs = Math.min(lifetimeMs, maxLifetimeMs)
  return {
    owner,
    key,
    generation,
    version,
    token,
    issuedAt,
    lifetimeMs: cutMs,
    replacedAt,
    refused,
    paidUntil,
  }
}

/**
 * What a store holds may be foreign, of another version, or broken: anything unexpected counts as missing, a getter that throws
 * as well, and so does what belongs to another user.
 *
 * @param maxLifetimeMs what the app asks for now: a life that was longer when the token was issued is cut
 */
export const parseRecord = (value: unknown, owner: string, maxLifetimeMs: number): TokenRecord | undefined =>
  safely(() => parse(value, owner, maxLifetimeMs), undefined)

type Life = Pick<TokenRecord, 'issuedAt' | 'lifetimeMs'>

/** Milliseconds of life left; never more than the lifetime, whatever happened to the clock. */
export function remainingMs({ issuedAt, lifetimeMs }: Life, now: number): number {
  return Math.min(lifetimeMs, issuedAt + lifetimeMs - now)
}

/** Milliseconds until the token is no longer handed out from the store: the last 10 % of its life, 60 s at most. */
export function reusableMs(life: Life, now: number): number {
  const marginMs = leadMs(life.lifetimeMs)
  // Issued in the future: this clock was set back, or the issuer's is ahead. The margin makes up for a little of that.
  const isFromFuture = life.issuedAt - now > marginMs
  return isFromFuture ? 0 : remainingMs(life, now) - marginMs
}

/** The newer one, of those that there are. */
export function newer(a: TokenRecord | undefined, b: TokenRecord | undefined): TokenRecord | undefined {
  return a && b ? (a.version >= b.version ? a : b) : (a ?? b)
}

/** The digest of the uid, which comes last in the owner. */
export const subOfOwner = (owner: string): string => owner.slice(owner.indexOf(':') + 1)
