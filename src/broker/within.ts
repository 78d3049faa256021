/** Work did not settle in time. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** Settles as `work` does, or rejects with {@link TimeoutError} after `ms`. What `work` does later is ignored. */
export function within<T>(ms: number, work: T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TimeoutError(`Not settled within ${ms} ms`)), ms)
    Promise.resolve(work)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject)
  })
}
