import { vi } from 'vitest'

/** Lets everything happen that is due now, whether the test has time in its hand or not. */
export const settle = (): Promise<unknown> =>
  vi.isFakeTimers() ? vi.advanceTimersByTimeAsync(0) : new Promise((resolve) => setImmediate(resolve))
