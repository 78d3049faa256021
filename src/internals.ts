import type { TokenError } from './errors.js'
import type { Token } from './token.js'
import type { GetTokenOptions, RefusedEvent, TokenRequest, TokenSource } from './types.js'

/** The time of one user in a source: from its creation, or a switch, to the next switch, `clear` or `close`. */
export interface Session {
  readonly user: string | number | null | undefined
  /** Aborts when the session ends, after the next one has begun. */
  readonly signal: AbortSignal
  /** Why it ended: `superseded` or `closed`. `undefined` while it lasts. */
  readonly over: TokenError | undefined
  /** Whether a token may be this user's, by all that the source knows while the session lasts. */
  accepts(token: Pick<Token, 'value' | 'sub'>): boolean
  /** The session that followed, from before `signal` aborts. None while it lasts, and none after `close`. */
  readonly next?: Session | undefined
}

const SESSION = Symbol.for('weavy-token.session')

/**
 * Names the session in which a request is sent, for a `fetchToken` of this library. Carried by the request, so that an
 * app's own function around such a `fetchToken` loses nothing.
 */
export const withSession = <Request extends object>(request: Request, session: Session): Request =>
  Object.assign(request, { [SESSION]: session })

export const sessionOf = (request: TokenRequest): Session | undefined =>
  (request as { [SESSION]?: Session })[SESSION]

/** What the adapters of this library need of a source beside its public surface. */
export interface SourceInternals {
  /** The session now. A call that must not outlive its user takes it in its first line and looks at `over` later. */
  session(): Session
  /**
   * `getToken`, without telling `onRefused`: the adapter tells it, because it knows the status. With `hurry` the broker is
   * asked now, whatever the token and the schedule say. With `orSame` it is the rejected token if the broker gives that one
   * again: the adapter sends it once more, and tells whether Weavy accepts it.
   */
  getToken(
    options?: GetTokenOptions & { readonly hurry?: boolean; readonly orSame?: boolean },
  ): Promise<string>
  tellRefused(event: RefusedEvent): void
  /** Weavy accepted a token of this user: should one be refused now, its broker does not give dead ones. */
  tellAccepted(token: string): void
  /** Opens a closed source again, without a token, for the user it had. A source that is open: nothing happens. */
  reopen(): void
}

const INTERNALS = Symbol.for('weavy-token.internals')

/** Puts the internals on a source. Carried by the source itself, so that a second copy of the library finds them. */
export const withInternals = (source: TokenSource, internals: SourceInternals): TokenSource =>
  Object.assign(source, { [INTERNALS]: internals })

/** @throws {TypeError} for what was not made by `createTokenSource` */
export function internalsOf(source: TokenSource): SourceInternals {
  const internals = (source as { [INTERNALS]?: SourceInternals } | undefined)?.[INTERNALS]
  if (!internals) throw new TypeError('source must come from createTokenSource')
  return internals
}
