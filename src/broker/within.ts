/** Work did not settle in time. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** Whether that is a promise. Nobody waits for it, so `onRejected` keeps its failure from ending the process. */
export function isUnawaited(value: unknown, onRejected: (error: unknown) => void = () => {}): boolean {
  if (!isThenable(value)) return false
  value.then(undefined, onRejected)
  return true
}

/** For what a process that was busy has not sent or not read yet, while its timers ran. */
const GRACE_MS = 200
/** A timer that rings so much too late says that the process was busy. */
const LATE_MS = 50

/**
 * Settles as `work` does, or rejects with {@link TimeoutError} after `ms`, a moment later in a process that was busy. What
 * `work` does later is ignored.
 *
 * What is there already costs no timer: a value is returned as it is, a settled promise is heard before one is set.
 */
export function within<T>(ms: number, work: T | PromiseLike<T>): T | Promise<T> {
  if (!isThenable(work)) return work
  return new Promise((resolve, reject) => {
    let isSettled = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const settle = <V>(next: (value: V) => void) => {
      return (value: V) => {
        isSettled = true
        clearTimeout(timer)
        next(value)
      }
    }
    Promise.resolve(work).then(settle(resolve), settle(reject))
    queueMicrotask(() => {
      if (isSettled) return
      const lateFrom = performance.now() + ms + LATE_MS
      const giveUp = () => reject(new TimeoutError(`Not settled within ${ms} ms`))
      timer = setTimeout(() => {
        if (performance.now() < lateFrom) giveUp()
        else timer = setTimeout(giveUp, GRACE_MS)
      }, ms)
    })
  })
}

/** What one request may take in all, by the monotonic clock. */
export interface Budget {
  /** Like {@link within}, for `ms` or what is left of the budget, whichever is less. */
  within<T>(ms: number, work: T | PromiseLike<T>): T | Promise<T>
}

export function createBudget(totalMs: number): Budget {
  const endsAt = performance.now() + totalMs
  return {
    within: (ms, work) => within(Math.max(0, Math.min(ms, endsAt - performance.now())), work),
  }
}
