interface Waiter {
  resolve(token: string): void
  reject(error: unknown): void
  /** Takes the listener off the caller's signal. */
  stop(): void
}

/** The promises of callers that wait, by the number that the machine has for each. */
export function createWaiters() {
  const waiters = new Map<number, Waiter>()
  let last = 0
  const take = (id: number) => {
    const waiter = waiters.get(id) as Waiter
    waiters.delete(id)
    waiter.stop()
    return waiter
  }
  return {
    areThere: () => waiters.size > 0,
    hand: (id: number, token: string) => take(id).resolve(token),
    reject: (id: number, error: unknown) => take(id).reject(error),
    /** `begin` is told the number, and `leave`, when the caller aborts, that it is free again. */
    wait: (signal: AbortSignal | undefined, begin: (id: number) => void, leave: (id: number) => void) =>
      new Promise<string>((resolve, reject) => {
        const id = ++last
        const onAbort = () => {
          take(id).reject((signal as AbortSignal).reason)
          leave(id)
        }
        signal?.addEventListener('abort', onAbort)
        waiters.set(id, { resolve, reject, stop: () => signal?.removeEventListener('abort', onAbort) })
        begin(id)
      }),
  }
}
