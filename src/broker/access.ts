import { Problem } from './problem.js'

/** How long a browser may remember the answer to a preflight, in seconds. */
const PREFLIGHT_MAX_AGE = 600

/** Who may ask, and what the answer says about it. */
export interface AccessPolicy {
  /** Headers for every answer to this request, failures too, in a new object. */
  headers(request: Request): Record<string, string>
  /** Returns the answer to a preflight, and nothing for a request to go on with. @throws {Problem} 403, 405 */
  admit(request: Request, headers: Record<string, string>): Response | undefined
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined
}

/** Only the host counts: behind a proxy that ends TLS, the request's URL says http where the page's says https. */
function isSameHost(origin: string, url: string): boolean {
  const host = hostOf(origin)
  return host !== undefined && host === hostOf(url)
}

/**
 * Lets pages of the broker's own origin and of `allowedOrigins` ask, and callers that are no browser.
 *
 * Browsers set `Sec-Fetch-Site` themselves and no page can forge it, so it decides where it is present. `none` is a
 * navigation that no page caused. Without it there is only `Origin`, which browsers leave out of same-origin GETs.
 *
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function createAccessPolicy(allowedOrigins: ReadonlySet<string>): AccessPolicy {
  const isShared = allowedOrigins.size > 0
  const methods = isShared ? 'GET, OPTIONS' : 'GET'

  function isAdmitted({ headers, url }: Request): boolean {
    const origin = headers.get('origin')
    if (origin === 'null') return false
    if (origin !== null && allowedOrigins.has(origin)) return true
    const site = headers.get('sec-fetch-site')
    if (site === 'same-origin') return true
    if (site !== null && site !== 'none') return false
    return origin === null || isSameHost(origin, url)
  }

  return {
    headers(request) {
      if (!isShared) return { 'Cache-Control': 'no-store' }
      const headers = { 'Cache-Control': 'no-store', Vary: 'Origin' }
      const origin = request.headers.get('origin')
      if (origin === null || !allowedOrigins.has(origin)) return headers
      return {
        ...headers,
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Expose-Headers': 'Retry-After',
      }
    },
    admit(request, headers) {
      const isPreflight = isShared && request.method === 'OPTIONS'
      if (request.method !== 'GET' && !isPreflight) {
        throw new Problem('method_not_allowed', undefined, { Allow: methods })
      }
      if (!isAdmitted(request)) throw new Problem('origin_not_allowed')
      if (!isPreflight) return undefined
      const asked = request.headers.get('access-control-request-headers')
      return new Response(null, {
        status: 204,
        headers: {
          ...headers,
          Vary: 'Origin, Access-Control-Request-Headers',
          Allow: methods,
          'Access-Control-Allow-Methods': 'GET',
          'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE),
          ...(asked && { 'Access-Control-Allow-Headers': asked }),
        },
      })
    },
  }
}
