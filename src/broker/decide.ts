import { digest } from './digest.js'
import { MAX_REFUSED, reusableMs, type TokenRecord } from './record.js'

/**
 * How long after a replacement further `refresh=true` without a digest get the same token, so that many tabs cost one call,
 * and how often a user's token may be replaced in the long run. Half of the life at most: a page asks for the next one when
 * its token is near the end, and must not get that one again.
 */
export const REPLACEMENT_WINDOW_MS = 5_000
/** How many replacements of one user's token may follow each other at once. */
export const REPLACEMENTS_AT_ONCE = 20

/** What a request wants. */
export type Ask =
  | { readonly wants: 'any' }
  /** `refresh=true` alone, as the UIKit says it: nobody knows which token is meant. */
  | { readonly wants: 'newer' }
  /** Ahead of expiry: another token than the one of this digest. */
  | { readonly wants: 'other'; readonly held: string }
  /** After a refusal: a token that was issued after the one of this digest was refused. */
  | { readonly wants: 'healed'; readonly refused: string }

export const ANY: Ask = { wants: 'any' }
export const NEWER: Ask = { wants: 'newer' }

/** Only these spellings are on the wire, so no URL need be parsed for them, however long. Rubbish is no digest. */
export function askOf(url: string): Ask {
  if (!/[?&]refresh=true(?:[&#]|$)/.test(url)) return ANY
  const refused = /[?&]refused=([\w-]{22})(?:[&#]|$)/.exec(url)?.[1]
  if (refused) return { wants: 'healed', refused }
  const held = /[?&]held=([\w-]{22})(?:[&#]|$)/.exec(url)?.[1]
  return held ? { wants: 'other', held } : NEWER
}

/** What the record that a call to Weavy brings is to carry besides its token. */
export interface Plan {
  /** Whether a newer token was wanted, or just one. */
  readonly isReplacement: boolean
  readonly refused: readonly string[]
  readonly paidUntil: number
}

export type Decision =
  | { readonly is: 'serve'; readonly record: TokenRecord }
  | { readonly is: 'call'; readonly plan: Plan }
  /** The user's token was replaced too often; `ms` until the next time. */
  | { readonly is: 'wait'; readonly ms: number }

function windowMs({ lifetimeMs }: TokenRecord): number {
  return Math.min(REPLACEMENT_WINDOW_MS, lifetimeMs / 2)
}

/** Whether a stored token that is good for a while yet is what the request wants. */
function suits(record: TokenRecord, ask: Ask, now: number): boolean {
  switch (ask.wants) {
    case 'any':
      return true
    case 'newer':
      return record.replacedAt !== null && Math.abs(now - record.replacedAt) < windowMs(record)
    case 'other':
      return digest(record.token) !== ask.held
    case 'healed':
      // Replaced for this very refusal. A token that was handed out although it had been refused is replaced again.
      return record.refused.includes(ask.refused) && digest(record.token) !== ask.refused
  }
}

/** The digests refused so far, each once, the newest last. */
export function alsoRefused(digests: readonly string[], ...more: string[]): string[] {
  return [...new Set([...digests.filter((known) => !more.includes(known)), ...more])].slice(-MAX_REFUSED)
}

/**
 * Serve what is stored, call Weavy, or tell the caller to wait. Pure: all that a process knows comes in.
 *
 * @param record of this user, present generation and API key
 */
export function decide(record: TokenRecord | undefined, ask: Ask, now: number): Decision {
  const isReplacement = ask.wants !== 'any'
  const asked = ask.wants === 'healed' ? [ask.refused] : []
  if (!record) {
    return { is: 'call', plan: { isReplacement, refused: asked, paidUntil: 0 } }
  }
  const { refused, paidUntil } = record
  if (reusableMs(record, now) <= 0) {
    // Its time is over: that costs nothing, because it happens once per life.
    return { is: 'call', plan: { isReplacement, refused: alsoRefused(refused, ...asked), paidUntil } }
  }
  if (suits(record, ask, now)) return { is: 'serve', record }
  const intervalMs = windowMs(record)
  // A clock that was set back must not make this user wait.
  const paid = Math.max(Math.min(paidUntil, now + REPLACEMENTS_AT_ONCE * intervalMs), now) + intervalMs
  const ms = paid - now - REPLACEMENTS_AT_ONCE * intervalMs
  if (ms > 0) return { is: 'wait', ms }
  // A token that is replaced because of a refusal is as dead as the refused one, which may be older: all were revoked.
  const dead = ask.wants === 'healed' ? [digest(record.token), ask.refused] : []
  return { is: 'call', plan: { isReplacement, refused: alsoRefused(refused, ...dead), paidUntil: paid } }
}
