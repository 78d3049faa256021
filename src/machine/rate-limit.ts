import { type Instant, msSince } from '../clock.js'

const SLOT_MS = 3000
const BURST = 8

/** The slots that were taken and are not paid back yet, in milliseconds at that instant. Time pays them back. */
export interface RateLimit {
  readonly owedMs: number
  readonly at: Instant
}

/** Nothing is owed. */
export const NO_DEBT: RateLimit = { owedMs: 0, at: { wall: 0, mono: 0 } }

const owedMs = ({ owedMs, at }: RateLimit, now: Instant): number => Math.max(owedMs - msSince(at, now), 0)

/**
 * Eight requests may be sent at once, then one every 3 s. A flight may need a second request, which nobody holds back but
 * which counts, and a request that fails may be looked at once more, once a minute: at most 30 in any 60 s.
 */
export const takeSlot = (limit: RateLimit, now: Instant): RateLimit => ({
  owedMs: owedMs(limit, now) + SLOT_MS,
  at: now,
})

/** Milliseconds until another slot may be taken; 0 or less: now. */
export const slotFreeInMs = (limit: RateLimit, now: Instant): number =>
  owedMs(limit, now) - (BURST - 1) * SLOT_MS
