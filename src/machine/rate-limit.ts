import { type Instant, remainingMs, type Wait } from '../clock.js'

const SLOT_MS = 3000
const BURST = 8

/**
 * Eight requests may be sent at once, then one every 3 s. A flight may need a second request, which nobody holds back but
 * which counts, and a request that fails may be looked at once more, once a minute: at most 30 in any 60 s.
 *
 * @param debt the slots that were taken; time pays them back
 */
export const takeSlot = (debt: Wait, now: Instant): Wait => ({
  since: now,
  ms: Math.max(remainingMs(debt, now), 0) + SLOT_MS,
})

/** Milliseconds until another slot may be taken; 0 or less: now. */
export const slotFreeInMs = (debt: Wait, now: Instant): number =>
  remainingMs(debt, now) - (BURST - 1) * SLOT_MS
