import type { Instant } from '../clock.js'
import type { TokenError } from '../errors.js'
import type { RequestEvent } from '../types.js'
import type { Wake } from '../wake.js'
import type { User } from './subs.js'

/** The time of a step on both clocks, and a number from 0 to 1 for all its jitter. */
export interface Now extends Instant {
  readonly random: number
}

/** What happens to a source. */
export type Event =
  | {
      readonly type: 'ask'
      readonly id: number
      readonly since: Instant
      readonly rejected: string | undefined
      readonly minValidityMs: number
      /** A request is wanted now, whatever the token and the schedule say. */
      readonly hurry?: boolean | undefined
      /** If the broker gives the refused token again, that one: who is to try it says whether it lives. */
      readonly orSame?: boolean | undefined
    }
  | { readonly type: 'leave'; readonly id: number }
  /** Weavy accepted a token of this user. */
  | { readonly type: 'accepted'; readonly token: string }
  | { readonly type: 'landed'; readonly flight: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly flight: number; readonly error: TokenError }
  | { readonly type: 'wake'; readonly wake: Wake }
  | { readonly type: 'ring' }
  | { readonly type: 'switch'; readonly user: User; readonly sub: string | undefined }
  | { readonly type: 'clear' }
  | { readonly type: 'close' }
  | { readonly type: 'reopen' }

/** What the driver sends. `held` and `rejected` are tokens: what leaves the page are their digests. */
export interface Sending {
  readonly type: 'send'
  readonly flight: number
  readonly held: string | undefined
  readonly request: {
    readonly user: User
    readonly refresh: boolean
    readonly rejected: string | undefined
    /** What the broker has to say of this user. */
    readonly sub: string | undefined
  }
}

/** What follows from an event, in order. */
export type Effect =
  | { readonly type: 'hand'; readonly id: number; readonly token: string }
  | { readonly type: 'reject'; readonly id: number; readonly error: TokenError }
  /** The session is over, and the next one begins. */
  | { readonly type: 'begin'; readonly error: TokenError }
  // From here on the app is called, which may call back.
  | { readonly type: 'abort' }
  | Sending
  | { readonly type: 'report'; readonly event: RequestEvent }
  | { readonly type: 'end' }

/** Effects of one step: those inside this library first, then those that call out to the app. */
export interface Out {
  readonly inside: Effect[]
  readonly outside: Effect[]
}
