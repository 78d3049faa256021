import { secureUrl } from './broker-request.js'
import type { TokenSource } from './token-source.js'

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

/**
 * Creates a `fetch` that adds the user's access token to requests to one Weavy environment.
 *
 * The token goes to the origin of `weavyUrl` only: another origin, and a redirect, is a TypeError. On 401 the refused
 * token is reported, and the request replayed once with the new one; the answer is then whatever came. If only the
 * refresh fails, the 401 is the answer. 403 passes through.
 *
 * @throws {TypeError} synchronously for a `weavyUrl` that is not a secure URL; from a call for another origin, an
 * `Authorization` header of the caller, or a redirect
 * @throws {TokenError} from a call, when no token can be had
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
  const environment = secureUrl('weavyUrl', weavyUrl)

  return async (input, init) => {
    throw new Error(`not yet: ${environment} ${fetch} ${input} ${init} ${source}`)
  }
}
