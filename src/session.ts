import type { TokenError } from './errors.js'
import type { Session } from './internals.js'

/** A session, and how it ends. */
export interface OwnSession extends Session {
  readonly controller: AbortController
  over: TokenError | undefined
  next: OwnSession | undefined
}

/** @throws {TokenError} why the session ended, if it has */
export const expectLasting = ({ over }: Session): void => {
  if (over) throw over
}

export const beginSession = (user: Session['user'], accepts: Session['accepts']): OwnSession => {
  const controller = new AbortController()
  return { user, signal: controller.signal, controller, over: undefined, next: undefined, accepts }
}
