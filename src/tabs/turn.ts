/** How long the first lock is waited for; each further one twice as long as the one before. */
export const FIRST_WAIT_MS = 850

const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve())
  })

/** Resolves after that time, or as soon as the signal aborts. Then it leaves no timer. */
export const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

/**
 * Runs when no other tab does, or when those that do take too long.
 *
 * A tab that holds the first lock may be frozen, or its request may hang. Who has waited for it queues for the second
 * lock instead, and so on, so that one further tab asks, and not all that wait. No lock is stolen. Where locks fail, it
 * runs without one.
 *
 * @param signal aborts when it need not run any more
 */
export async function inTurn(
  locks: Pick<LockManager, 'request'>,
  name: string,
  signal: AbortSignal,
  run: () => Promise<void>,
): Promise<void> {
  let running: Promise<void> | undefined
  for (let n = 0; !running && !signal.aborted; n++) {
    const wait = new AbortController()
    void pause(FIRST_WAIT_MS * 2 ** n, signal).then(() => wait.abort())
    const go = () => {
      if (!signal.aborted) running = run()
      return Promise.race([running, ended(signal)])
    }
    try {
      await locks.request(`${name}:ask:${n}`, { signal: wait.signal }, go)
    } catch {
      // Given up, or refused by the browser.
      if (!wait.signal.aborted) running ??= run()
    }
  }
  await running
}
