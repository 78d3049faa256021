import { describeError } from './describe-error.js'
import { Problem } from './problem.js'
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
  const { digest } = (error ?? {}) as { digest?: unknown }
  return typeof digest === 'string' && /^[A-Z]+(_[A-Z]+)+(;|$)/.test(digest)
}

/**
 * The answer that the app has thrown: a `Response`, an error of Hono that makes one, or SvelteKit's redirect.
 * `undefined` when it threw none.
 */
export function thrownResponse(error: unknown): Response | undefined {
  if (isResponse(error)) return error
  const { getResponse, status, location } = (error ?? {}) as Record<string, unknown>
  if (typeof getResponse === 'function') {
    const response: unknown = getResponse.call(error)
    return isResponse(response) ? response : undefined
  }
  const isRedirect = typeof location === 'string' && [301, 302, 303, 307, 308].includes(Number(status))
  return isRedirect
    ? new Response(null, { status: Number(status), headers: { Location: location } })
    : undefined
}

/** What to answer when `user` threw an error: the status of errors that carry one (http-errors), where it is about the user. */
export function thrownProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof InvalidUidError) return new Problem('invalid_user', error.message)
  const { status, statusCode = status } = (error ?? {}) as Record<string, unknown>
  if (statusCode === 401) return new Problem('not_signed_in')
  if (statusCode === 403) return new Problem('user_not_allowed')
  return new Problem('user_failed', `user() threw ${describeError(error)}`)
}
