import { secureUrl } from './token-url.js'
import type { TokenSource } from './types.js'

/** Options of {@link createAuthorizedFetch}. */
export interface AuthorizedFetchOptions {
  /** The Weavy environment. Requests to its origin, and to no other, may be made. `https:` or loopback. */
  weavyUrl: string | URL
  /**
   * Fetches in place of the global `fetch`.
   * @default globalThis.fetch, looked up at each call
   */
  fetch?: typeof globalThis.fetch | undefined
}

/** A stream is gone once it was sent. Node takes async iterables too. */
const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body)

/**
 * Creates a `fetch` that adds the user's access token to requests to one Weavy environment.
 *
 * The token goes to the origin of `weavyUrl` only: a request to another origin is refused, and when Weavy redirects to
 * another origin, `fetch` drops the header, as its standard says. A relative URL is resolved against `weavyUrl`.
 *
 * On 401 the refused token is reported, and the request sent once more with the new one; what then comes is the answer.
 * The 401 itself is the answer when no new token can be had, or when the user was switched or the source cleared
 * meanwhile: nothing that one user began is sent as another. A 403 is never retried. Strings, `FormData`, `Blob`,
 * `URLSearchParams`, buffers and `Request` objects can be sent again; a stream cannot.
 *
 * @throws {TypeError} synchronously for a `weavyUrl` that is not a secure URL; from a call for another origin, for an
 * `Authorization` header of the caller, or when a stream would have to be sent again
 * @throws {TokenError} any code, from a call, when there is no token to begin with; the reason of `signal` when that
 * aborts
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch drops the header across origins
 * @example
 * ```ts
 * import { createAuthorizedFetch, createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token' })
 * const weavyFetch = createAuthorizedFetch(source, { weavyUrl: 'https://your-environment.weavy.io' })
 * const user = await weavyFetch('/api/user')
 * ```
 */
export function createAuthorizedFetch(
  source: TokenSource,
  { weavyUrl, fetch = (...args) => globalThis.fetch(...args) }: AuthorizedFetchOptions,
): typeof globalThis.fetch {
  const { origin, href } = secureUrl('weavyUrl', weavyUrl)
  const isElsewhere = (url: string) => new URL(url).origin !== origin

  return async (input, init) => {
    const target = typeof input === 'string' ? new URL(input, href) : input
    // Only a Request has to be copied to be sent twice: a copy of a large file would be held in memory.
    const request = new Request(target instanceof Request ? target.clone() : target, init)
    if (isElsewhere(request.url)) throw new TypeError(`only requests to ${origin} are sent`)
    if (request.headers.has('authorization')) throw new TypeError('leave out Authorization: it is set here')

    const { signal } = request
    const send = (request: Request, token: string) => {
      request.headers.set('authorization', `Bearer ${token}`)
      return fetch(request)
    }

    const first = await source.getToken({ signal })
    let isSameUser = true
    const unsubscribe = source.subscribe(({ status }) => {
      if (status === 'empty' || status === 'signed-out') isSameUser = false
    })
    try {
      const response = await send(request, first)
      if (response.status !== 401 || (response.redirected && isElsewhere(response.url))) return response
      const second = await source.getToken({ rejected: first, signal }).catch(() => undefined)
      signal.throwIfAborted()
      if (!second || !isSameUser) return response
      if (isStream(init?.body))
        throw new TypeError(
          'Weavy refused the token, and a stream cannot be sent again. Send a Blob instead.',
        )
      response.body?.cancel().catch(() => {})
      return await send(new Request(target, init), second)
    } finally {
      unsubscribe()
    }
  }
}
