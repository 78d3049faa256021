import { type Instant, msSince, readClock } from '../clock.js'
import { lifetimeMs } from '../token.js'
import { isUserToken, leadMs, type TokenResponse } from '../wire.js'

/*
 * What tabs say to each other, and what may be believed. Pure.
 *
 *   { want, after }                give me a token that was asked for later than `after`; `want` names this question
 *   { give, at, access_token, … }  the answer to the questions in `give`
 *   { stop }                       the user signed out: give nothing that was asked for before this
 */

/** A part of each room's name, so that pages that speak otherwise never meet. */
export const PROTOCOL = 1
/** Questions of others that a tab remembers while it asks, too. Whoever is forgotten asks again. */
export const MAX_OPEN = 64

const MAX_TOKEN_LENGTH = 4096
/** Browsers blur their clocks by less. */
const BLUR_MS = 1000

/** A token that a tab may give. */
export interface Held extends TokenResponse {
  /** Its version: when the broker was asked for it, on the wall clock, which all tabs of a browser share. */
  readonly at: number
  /** When this tab asked for it. Its life counts from there, on both clocks of this tab. */
  readonly asked: Instant
  readonly lifeMs: number
}

/** What a tab would take. */
export interface Question {
  readonly id: string
  /** The version that it has; 0: none. */
  readonly after: number
  /** The `sub` that it must have. */
  readonly sub: string | undefined
  /** The token that was refused last. */
  readonly rejected: string | undefined
  readonly asked: Instant
}

/**
 * What an answer of the broker, or a message, brings. Its life counts from the asking, however long it was on its way.
 * `undefined`: nothing that could be shared, or believed.
 */
export function heldFrom(answer: unknown, at: unknown, asked: Instant): Held | undefined {
  const { access_token, expires_in, sub } = Object(answer)
  const lifeMs = lifetimeMs(expires_in)
  const isGood =
    isUserToken(access_token) &&
    access_token.length <= MAX_TOKEN_LENGTH &&
    lifeMs > 0 &&
    (lifeMs < Infinity || expires_in === undefined) &&
    (sub === undefined || typeof sub === 'string') &&
    typeof at === 'number' &&
    at <= readClock().wall + BLUR_MS
  return isGood ? { access_token, sub, at, asked, lifeMs } : undefined
}

const leftMs = ({ asked, lifeMs }: Held): number => lifeMs - msSince(asked, readClock())

/** What is left of it now, as a broker would say it. */
export const answerFrom = (held: Held): TokenResponse => ({
  access_token: held.access_token,
  sub: held.sub,
  ...(held.lifeMs < Infinity && { expires_in: leftMs(held) / 1000 }),
})

/** Given away only outside of the last part of its life, in which its holder wants another one, too. */
export const isReusable = (held: Held): boolean => leftMs(held) > leadMs(held.lifeMs)

/** Newer than what the question has, not what it refuses, and of the same user, as far as anybody can tell. */
export const fits = ({ access_token, at, sub }: Held, question: Question): boolean =>
  at > question.after &&
  access_token !== question.rejected &&
  (question.sub === undefined || question.sub === sub)
