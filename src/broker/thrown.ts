import { describeError } from './describe-error.js'
import { Problem } from './problem.js'
import { isA, safely } from './safely.js'
import { InvalidUidError } from './uid.js'

/** Responses of other realms and of adapters are no `instanceof Response`. */
function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]'
}

/**
 * Whether this is how Next.js steers: `redirect()`, `notFound()`, and what tells a build that a route is dynamic. Such an
 * error has to reach the framework. Its `digest` is a name in capitals, never the hash of a failure.
 *
 * @see https://nextjs.org/docs/app/api-reference/functions/unstable_rethrow
 */
export function isControlFlow(error: unknown): boolean {
  const digest = safely(() => (error as { digest?: unknown }).digest, undefined)
  return typeof digest === 'string' && /^[A-Z]+(_[A-Z]+)+(;|$)/.test(digest)
}

function responseOf(error: unknown): Response | undefined {
  if (isResponse(error)) return error
  const { getResponse, status, location } = error as Record<string, unknown>
  if (typeof getResponse === 'function') {
    const response: unknown = getResponse.call(error)
    return isResponse(response) ? response : undefined
  }
  const isRedirect = typeof location === 'string' && [301, 302, 303, 307, 308].includes(Number(status))
  return isRedirect
    ? new Response(null, { status: Number(status), headers: { Location: location } })
    : undefined
}

/**
 * The answer that the app has thrown: a `Response`, an error of Hono that makes one, or SvelteKit's redirect.
 * `undefined` when it threw none.
 */
export const thrownResponse = (error: unknown): Response | undefined =>
  safely(() => responseOf(error), undefined)

/** The status of errors that carry one (http-errors). */
function statusOf(error: unknown): unknown {
  const { status, statusCode = status } = error as Record<string, unknown>
  return statusCode
}

/** What to answer when `user` threw an error: its status, where that is about the user. */
export function thrownProblem(error: unknown): Problem {
  if (isA(error, Problem)) return error
  if (isA(error, InvalidUidError)) return new Problem('invalid_user', error.message)
  const status = safely(() => statusOf(error), undefined)
  if (status === 401) return new Problem('not_signed_in')
  if (status === 403) return new Problem('user_not_allowed')
  return new Problem('user_failed', `user() threw ${describeError(error)}`)
}
