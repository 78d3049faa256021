import { isUnawaited } from './within.js'

const PREFIX = 'weavy-token broker: '
const CURE =
  'The log option threw, so its lines come here. Give a function that needs no `this`: log: (line) => logger.error(line)'

/** Writes a line for the operator. Never throws. */
export type Report = (line: string) => void

/** The default of the `log` option, for an operator who set up nothing. */
// biome-ignore lint/suspicious/noConsole: documented
export const defaultLog = (line: string): unknown => console.error(line)

/** A line that `log` does not take goes to the default log instead of being lost; the first time with the cure. */
export function createReport(log: (line: string) => unknown): Report {
  let isCureTold = false

  function rescue(line: string) {
    if (log === defaultLog) return
    try {
      if (!isCureTold) defaultLog(PREFIX + CURE)
      isCureTold = true
      defaultLog(line)
    } catch {
      // There is nobody left to tell.
    }
  }

  return (text) => {
    const line = PREFIX + text
    try {
      isUnawaited(log(line), () => rescue(line))
    } catch {
      rescue(line)
    }
  }
}
