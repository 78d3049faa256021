/**
 * One moment on both clocks of the machine.
 *
 * Neither clock can be trusted alone: the wall clock is set back and forward, the monotonic clock stops while some
 * machines sleep. Each of them only ever errs on its own side, so the larger of the two ages is the safe one.
 */
export interface Instant {
  readonly wall: number
  readonly mono: number
}

export const readClock = (): Instant => ({ wall: Date.now(), mono: performance.now() })

/** Age of an instant in milliseconds: what the clock that has seen more time says. */
export const msSince = (then: Instant): number =>
  Math.max(Date.now() - then.wall, performance.now() - then.mono)
