import type { Settings } from './machine/machine.js'
import type { TokenSourceOptions } from './types.js'

const checkMs = (option: string, value: number | undefined, min: number, max: number): void => {
  if (value !== undefined && !(value >= min && value <= max))
    throw new TypeError(`${option} must be a number of milliseconds from ${min} to ${max}`)
}

/** @throws {TypeError} for a number out of its bounds */
export function settingsOf(options: TokenSourceOptions): Settings {
  const { refreshAheadMs, timeoutMs = 10_000, maxWaitMs = 15_000 } = options
  checkMs('refreshAheadMs', refreshAheadMs, 0, Number.MAX_VALUE)
  checkMs('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  checkMs('maxWaitMs', maxWaitMs, 0, 2 ** 31 - 1)
  return { refreshAheadMs, timeoutMs, maxWaitMs }
}
