import { copyBody, isStream } from './copy-body.js'
import { createForbidden, type Forbidden } from './forbidden.js'
import { internalsOf, type Session } from './internals.js'
import { joinSignals } from './join-signals.js'
import { expectLasting } from './session.js'
import { originOf, secureUrl } from './token-url.js'
import type { TokenSource } from './types.js'

/** Options of {@link createAuthorizedFetch}. */
export interface AuthorizedFetchOptions {
  /** The Weavy environment. Requests to its origin, and to no other, may be made. A full URL: `https:`, loopback, or the page's own origin. */
  weavyUrl: string | URL
  /**
   * Fetches in place of the global `fetch`.
   * @default globalThis.fetch, looked up at each call
   */
  fetch?: typeof globalThis.fetch | undefined
}

/** Also one of another frame, where `instanceof` says no. */
const isRequest = (input: RequestInfo | URL): input is Request => 'clone' in Object(input)

/** Everything that `fetch` would read, inherited members too: a Request may serve as an init. */
const copyInit = (init: RequestInit | undefined): RequestInit & { headers: Headers } => {
  const copy: { body?: BodyInit } & Record<string, unknown> = {}
  for (const name in init) copy[name] = init[name as keyof RequestInit]
  if (init?.body) copy.body = copyBody(init.body)
  return { ...copy, headers: new Headers(init?.headers) }
}

/** An init without the referrer would set it back. */
const again = (request: Request, init: RequestInit) => {
  const { referrer, referrerPolicy } = request
  return new Request(request.clone(), { ...init, referrer, referrerPolicy })
}

/**
 * Creates a `fetch` that adds the user's access token to requests to one Weavy environment.
 *
 * The token goes to the origin of `weavyUrl` only: a request to another origin is refused, and when Weavy redirects to
 * another origin, `fetch` drops the header, as its standard says. A relative URL is resolved against `weavyUrl`.
 *
 * On 401 the refused token is reported, and the request sent once more with the new one; what then comes is the answer.
 * The 401 itself is the answer when no new token can be had, and from a resource that refuses new tokens, too, while
 * others take them: that costs one refresh in a minute. A 403 is never retried. Strings, `FormData`, `Blob`,
 * `URLSearchParams`, buffers and `Request` objects can be sent again; a stream cannot.
 *
 * A call belongs to the user for whom it began, from its first line on: `setUser`, `clear` and `close` abort it, it
 * rejects with `superseded` or `closed`, and is not sent again. What was passed is copied at the call. Without a `cache`
 * of the caller's nothing is read from the HTTP cache or left in it.
 *
 * @throws {TypeError} synchronously for a `weavyUrl` that is not a full and secure URL; from a call for another origin, for an
 * `Authorization` header of the caller, or when a stream would have to be sent again
 * @throws {TokenError} any code, from a call, when there is no token to begin with; the reason of `signal` when that
 * aborts
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch drops the header across origins
 * @example
 * ```ts
 * import { createAuthorizedFetch, createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token', user: session.userId })
 * const weavyFetch = createAuthorizedFetch(source, { weavyUrl: 'https://your-environment.weavy.io' })
 * const user = await weavyFetch('/api/user')
 * ```
 */
export function createAuthorizedFetch(
  source: TokenSource,
  { weavyUrl, fetch = (...args) => globalThis.fetch(...args) }: AuthorizedFetchOptions,
): typeof globalThis.fetch {
  if (!originOf(String(weavyUrl).trim())) throw new TypeError('weavyUrl must be a full URL')
  const { origin, href } = secureUrl('weavyUrl', weavyUrl)
  const internals = internalsOf(source)
  const isElsewhere = (url: string) => new URL(url).origin !== origin
  let known: { session: Session; forbidden: Forbidden } | undefined

  return async (input, init) => {
    const session = internals.session()
    const request = isRequest(input) ? new Request(input, init) : undefined
    const url = request ? request.url : new URL(input as string | URL, href).href
    const copy = request ?? copyInit(init)
    if (isElsewhere(url)) throw new TypeError(`only requests to ${origin} are sent`)
    if (copy.headers.has('authorization')) throw new TypeError('leave out Authorization: it is set here')
    const signal = copy.signal ?? undefined
    if (known?.session !== session) known = { session, forbidden: createForbidden() }
    const { forbidden } = known
    const resource = `${copy.method} ${url.split(/[?#]/)[0]}`

    const send = async (token: string) => {
      const headers = new Headers(copy.headers)
      headers.set('authorization', `Bearer ${token}`)
      const cache = !copy.cache || copy.cache === 'default' ? 'no-store' : copy.cache
      const change = { headers, cache, signal: joinSignals(session.signal, signal) }
      // Wrappers of `fetch` often understand nothing but a string and an init.
      const response = await (request ? fetch(again(request, change)) : fetch(url, { ...copy, ...change }))
      expectLasting(session)
      if (response.ok) {
        internals.tellAccepted(token)
        forbidden.answered(resource)
      }
      return response
    }
    const isRefused = (response: Response) =>
      response.status === 401 && !(response.redirected && isElsewhere(response.url))
    const obtain = (rejected?: string) => internals.getToken({ rejected, signal })

    try {
      const first = await obtain()
      expectLasting(session)
      const response = await send(first)
      if (!isRefused(response) || forbidden.isOdd(resource)) return response
      const replacement = obtain(first).catch((error) => {
        if (signal?.aborted) throw error
      })
      internals.tellRefused({ status: 401, from: 'fetch' })
      const second = await replacement
      expectLasting(session)
      if (!second) return response
      if (!request && isStream(copy.body))
        throw new TypeError('The token was refused, and a stream cannot be sent again. Send a Blob.')
      response.body?.cancel().catch(() => {})
      const answer = await send(second)
      if (isRefused(answer)) forbidden.refusedAgain(resource)
      return answer
    } catch (error) {
      throw session.over ?? error
    }
  }
}
