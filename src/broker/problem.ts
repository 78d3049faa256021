import { TokenError, type TokenErrorCode } from '../errors.js'

const problems = {
  not_signed_in: [401, 'Not signed in', 'Nobody is signed in to this app. Sign in, then ask again.'],
  user_not_allowed: [403, 'Not allowed', 'The app does not let this user ask for a token.'],
  origin_not_allowed: [
    403,
    'Origin not allowed',
    'Only pages of this origin may ask for tokens. Others must be named in the allowedOrigins of the broker.',
  ],
  method_not_allowed: [405, 'Method not allowed', 'Ask for a token with GET.'],
  rate_limited: [429, 'Too many requests', 'Weavy limits the rate of requests. Ask again after Retry-After.'],
  replaced_too_often: [
    429,
    'Too many requests',
    'The token of this user was replaced too often in a short time. Ask again after Retry-After.',
  ],
  user_failed: [
    500,
    'Session lookup failed',
    'The app could not tell who is signed in. See the log of the broker.',
  ],
  invalid_user: [
    500,
    'Invalid user',
    'The app named a user that Weavy cannot take. See the log of the broker.',
  ],
  wrong_mount: [
    500,
    'The broker is mounted wrongly',
    'This server hands over no Request. Mount the broker with getRequestListener(broker.fetch) of @hono/node-server.',
  ],
  broker_failed: [500, 'Broker failed', 'Something unforeseen happened. See the log of the broker.'],
  broker_refused: [
    502,
    'Weavy refused the broker',
    'Weavy does not serve this broker. See the log of the broker.',
  ],
  request_refused: [
    502,
    'Weavy refused the user',
    'Weavy did not take this user. See the log of the broker.',
  ],
  weavy_bad_answer: [
    502,
    'Bad answer',
    'Weavy answered with something else than a token. See the log of the broker.',
  ],
  weavy_unavailable: [503, 'Weavy is unavailable', 'Weavy cannot be reached. Ask again after Retry-After.'],
  user_timeout: [
    504,
    'Session lookup timed out',
    'The app took too long to tell who is signed in. Ask again.',
  ],
  weavy_timeout: [504, 'Weavy timed out', 'Weavy took too long to issue a token. Ask again.'],
} as const satisfies Record<string, readonly [status: number, title: string, detail: string]>

/**
 * Why a request gets no token: a status and a fixed text for the page, and for some a line for the operator.
 *
 * The texts are written here and in the code that throws, never taken from an answer or from another error.
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  constructor(
    readonly code: keyof typeof problems,
    readonly logLine?: string,
    readonly headers?: Record<string, string>,
    /** Whom a failure of Weavy is about, where that can be told. */
    readonly scope: 'everybody' | 'user' | 'unclear' = 'unclear',
  ) {
    super(logLine ?? code)
  }
}

/** The answer for a problem. @see https://www.rfc-editor.org/rfc/rfc9457 */
export function problemResponse(problem: Problem, headers: Record<string, string>): Response {
  const [status, title, detail] = problems[problem.code]
  const body = { type: `urn:weavy-token:problem:${problem.code}`, title, status, detail }
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, ...problem.headers, 'Content-Type': 'application/problem+json' },
  })
}

const CODES: Partial<Record<number, TokenErrorCode>> = {
  401: 'signed_out',
  429: 'rate_limited',
  503: 'unreachable',
  504: 'timeout',
}

/** The same for server code. Its message is the fixed text; what the operator has to know is in the log. */
export function tokenError(problem: Problem): TokenError & { readonly status: number } {
  const [status, title, detail] = problems[problem.code]
  const seconds = problem.headers?.['Retry-After']
  const retryAfterMs = seconds === undefined ? undefined : Number(seconds) * 1000
  const error = new TokenError(CODES[status] ?? 'broker_error', `${title}. ${detail}`, {
    status,
    retryAfterMs,
  })
  return error as TokenError & { readonly status: number }
}
