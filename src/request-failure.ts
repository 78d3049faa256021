import { isTokenError, TokenError } from './errors.js'
import { isOffline } from './wake.js'
import { retryAfterMs } from './wire.js'

/** Values looked at for a quoted token; what is larger is not kept. */
const MAX_LOOKED_AT = 500

/** Whether a value, or anything that hangs on it, quotes a token, or might: what cannot be seen through does. */
function quotesToken(value: unknown, seen: Set<unknown>): boolean {
  if (typeof value === 'string') return /wy[us]_/.test(value)
  if (Object(value) !== value || seen.has(value)) return false
  seen.add(value)
  try {
    const inside: unknown[] = Reflect.ownKeys(value as object).map((key) => (value as never)[key])
    // Headers and Map have no keys of their own.
    ;(value as Partial<Map<unknown, unknown>>).forEach?.((item, key) => {
      inside.push(item, key)
    })
    return seen.size > MAX_LOOKED_AT || inside.some((part) => quotesToken(part, seen))
  } catch {
    return true
  }
}

/** The error to keep as a cause: one that quotes no token, anywhere in its chain. */
const causeOf = (error: unknown): unknown =>
  typeof Object(error).message === 'string' && !quotesToken(error, new Set()) ? error : undefined

/** The request brought no answer. */
export function networkFailure(error: unknown, hint = ''): TokenError {
  const [code, message] = isOffline()
    ? (['offline', 'The browser is offline.'] as const)
    : (['unreachable', `The token broker could not be reached (network, CORS or CSP).${hint}`] as const)
  return new TokenError(code, message, { cause: causeOf(error) })
}

export const noAnswer = (timeoutMs: number): TokenError =>
  new TokenError('timeout', `The token broker did not answer within ${timeoutMs} ms.`)

/** Nothing that the network or the broker did. Asking again at once would not help. */
export const badResponse = (message: string, error?: unknown): TokenError =>
  new TokenError('bad_response', message, { cause: causeOf(error) })

export const notJson = (): TokenError =>
  badResponse('The token broker answered with something that is not JSON.')

/** What nobody foresaw: a fault in this library, or in what the app replaced. */
export const unknownFailure = (error: unknown): TokenError =>
  isTokenError(error) ? error : badResponse('Unknown error. See its cause.', error)

export const signInPage = (): TokenError =>
  new TokenError('signed_out', 'A sign-in page answered in place of the token broker. Sign in again.')

const OWN_PROBLEM = 'urn:weavy-token:problem:'

/** What an answer that failed says: a `Response`, or what axios and others make of one. */
export interface FailedAnswer {
  readonly status: number
  readonly headers?: unknown
  /** Its body, where that is JSON. */
  readonly data?: unknown
}

/** Which error an answer with that status is. `path` and `hint` belong to the request. */
export function statusFailure(
  { status, headers, data }: FailedAnswer,
  path = '',
  hint = '',
  cause?: unknown,
) {
  const header = (name: string) => {
    const given = Object(headers)
    return String(given.get?.(name) ?? given[name])
  }
  const { type, title, detail } = Object(data)
  // Texts of our own broker are fixed ones; nobody else's go into a message.
  const isOwn = typeof type === 'string' && type.startsWith(OWN_PROBLEM) && !quotesToken(data, new Set())
  const isDenied = (status === 401 || status === 403) && type !== `${OWN_PROBLEM}origin_not_allowed`
  const code = isDenied
    ? 'signed_out'
    : status === 429
      ? 'rate_limited'
      : status < 300
        ? 'bad_response'
        : 'broker_error'
  const message = isOwn
    ? `${title}. ${detail}`
    : isDenied
      ? 'The token broker knows no signed-in user. Sign in again.'
      : status === 404
        ? `There is no token broker at ${path || 'this address'} (404).`
        : `The token broker answered ${status}. See its log.`
  return new TokenError(code, message + (isDenied ? hint : ''), {
    status,
    retryAfterMs: retryAfterMs(header('retry-after'), header('date')),
    cause: causeOf(cause),
  })
}

/** Turns whatever a `fetchToken` throws into a TokenError; one that is one already is kept, of any copy of this library. */
export function failureOf(error: unknown): TokenError {
  if (isTokenError(error)) return error
  const { response, data } = Object(error)
  const answer = [response, error].map(Object).find(({ status }) => typeof status === 'number' && status > 0)
  if (answer) {
    const { status, headers } = answer
    return statusFailure({ status, headers, data: answer.data ?? data }, '', '', error)
  }
  // It quotes a part of what is not JSON, so it is no cause to keep.
  if (Object(error).name === 'SyntaxError') return notJson()
  return networkFailure(error)
}
