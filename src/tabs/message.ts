import { msSince, readClock } from '../clock.js'
import type { Session } from '../internals.js'
import { parseToken, type Token } from '../token.js'
import type { TokenRequest } from '../types.js'

/*
 * What tabs say to each other, and what may be believed. Pure.
 *
 *   { after }    who has a token that was asked for later than `after`?
 *   { at, sent, access_token, expires_in, sub, refreshed }
 *                a token that was asked for `at`, with the life that it had when `sent`; `refreshed`: because another one
 *                had been refused. One that was asked for otherwise may be as dead as that.
 *   { stop }     the user signed out: give nothing that was asked for before this
 *
 * Instants in messages are on the wall clock, which all tabs of a browser share.
 */

/** A part of each room's name, so that pages that speak otherwise never meet. */
export const PROTOCOL = 1

const MAX_TOKEN_LENGTH = 4096

/**
 * The token of an answer, of the broker or in a message, when others may have it: a living one that the source accepts,
 * and with the `sub` of its user, where it knows that. After a refusal it has to be `refreshed`. It is read by the rules
 * of a source.
 */
export function tokenFor(
  { accepts }: Session,
  { rejected, sub }: TokenRequest,
  answer: unknown,
  sent: Token['asked'],
  refreshed: boolean,
): Token | undefined {
  const token = parseToken(answer, { sent, refresh: refreshed }, undefined, readClock(), 0)
  return 'value' in token &&
    token.value.length <= MAX_TOKEN_LENGTH &&
    accepts(token) &&
    (refreshed || !rejected) &&
    token.lifetimeMs > 0 &&
    (!sub || token.sub === sub)
    ? token
    : undefined
}

const ageMs = ({ asked }: Token): number => msSince(asked, readClock())

/** Given outside of the last part of its life only, in which its holder wants another one, too. */
export const isReusable = (token: Token): boolean => ageMs(token) < token.freshMs

export const messageOf = (token: Token, at: number) => ({
  at,
  sent: Date.now(),
  access_token: token.value,
  expires_in: (token.lifetimeMs - ageMs(token)) / 1000,
  sub: token.sub,
  refreshed: token.refreshed,
})
