/**
 * One moment on both clocks of the machine.
 *
 * Neither can be trusted alone: the wall clock is set back and forward, the monotonic clock stops while some machines
 * sleep, and starts again at 0 where a test or an engine resets it.
 */
export interface Instant {
  readonly wall: number
  readonly mono: number
}

export const readClock = (): Instant => ({ wall: Date.now(), mono: performance.now() })

/** A clock that went back, stopped or answers rubbish has seen no time. */
const elapsed = (then: number, now: number): number => (now > then ? now - then : 0)

/** Milliseconds since an instant, on whichever clock has seen more of them: lives and waits are over when either says so. */
export const msSince = (then: Instant, now: Instant): number =>
  Math.max(elapsed(then.wall, now.wall), elapsed(then.mono, now.mono))

/** A time that has to pass. */
export interface Wait {
  readonly since: Instant
  readonly ms: number
}

export const NO_WAIT: Wait = { since: { wall: 0, mono: 0 }, ms: 0 }

export const remainingMs = ({ since, ms }: Wait, now: Instant): number => ms - msSince(since, now)
