/**
 * What went wrong, one code for each situation that a caller handles differently.
 *
 * - `offline`: the request failed and the browser says that it is offline
 * - `unreachable`: the request failed although the browser did not say that it is offline
 * - `timeout`: no answer within `timeoutMs`, or no token within `maxWaitMs`
 * - `broker_error`: the broker answered with a 5xx or another unexpected status
 * - `rate_limited`: the broker answered 429
 * - `signed_out`: the broker answered 401, 403 (but `origin_not_allowed` of our broker is a `broker_error`) or with a
 *   sign-in page, or `setUser(null)` was called
 * - `other_user`: the token that the broker answered belongs to somebody else: another user signed in to the app
 * - `bad_response`: the answer is not JSON, has no `access_token`, or was expired on arrival twice; or no request could be
 *   made, because `requestInit` failed or a relative `tokenUrl` has no page; or nobody foresaw it, and the message says so
 * - `wrong_token`: the answer holds an API key or anything else that is not a user access token
 * - `rejected`: the broker keeps giving a token that Weavy refuses
 * - `superseded`: the user was switched, or the source cleared, while the caller waited
 * - `closed`: the source was closed
 */
export type TokenErrorCode =
  | 'offline'
  | 'unreachable'
  | 'timeout'
  | 'broker_error'
  | 'rate_limited'
  | 'signed_out'
  | 'other_user'
  | 'bad_response'
  | 'wrong_token'
  | 'rejected'
  | 'superseded'
  | 'closed'

/** Details of a {@link TokenError}. */
export interface TokenErrorOptions {
  /** HTTP status of the answer, when that is what failed. */
  status?: number | undefined
  /** What the server asked to wait, in milliseconds. */
  retryAfterMs?: number | undefined
  /** The original error, unless it could quote the answer. */
  cause?: unknown
}

/**
 * The one error that this library rejects with at run time.
 *
 * `code` tells situations apart, `message` says what to do. Neither holds a token, an API key or a user id.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  /**
   * HTTP status of an answer that was an error. `undefined` when there was no answer, for a sign-in page, and when an
   * answer of status 200 held something wrong.
   */
  readonly status: number | undefined
  /** What the server asked to wait, in milliseconds, or `undefined`. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: TokenErrorCode,
    message: string,
    { status, retryAfterMs, cause }: TokenErrorOptions = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * Whether something is a {@link TokenError}, also one of another copy of this library or of another frame, where
 * `instanceof` says no.
 */
export const isTokenError = (error: unknown): error is TokenError => {
  const { name, code } = Object(error)
  // An app may have an error of that name. All of ours have this field.
  return name === 'TokenError' && typeof code === 'string' && 'retryAfterMs' in Object(error)
}
