import { safely } from './safely.js'

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `a value that is no Error (${typeof error})`
  const name = /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
  const stack = String(error.stack)
  const messageAt = stack.indexOf(error.message)
  if (messageAt < 0) return name
  const [, ...frames] = stack.slice(messageAt + error.message.length).split('\n')
  const frame = frames.find((line) => /^\s+at \S/.test(line))
  return frame ? `${name} ${frame.trim()}` : name
}

/**
 * What was thrown and where, for the log. Never its message: that is the app's, and may quote a cookie or a user. Never throws,
 * whatever it is.
 */
export const describeError = (error: unknown): string =>
  safely(() => describe(error), 'a value that cannot be read')
