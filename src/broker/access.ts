import { describeError } from './describe-error.js'
import { Problem } from './problem.js'
import type { Report } from './report.js'
import { isUnawaited } from './within.js'

/** How long a browser may remember the answer to a preflight, in seconds. */
const PREFLIGHT_MAX_AGE = 600

/** So many lines about origins are told. */
export const MAX_TOLD_ORIGINS = 20

/** What a browser sends as `Origin`, and nothing that somebody else would like to see in a log. */
const isNameable = (origin: string): boolean => /^[a-z][a-z\d+.-]*:\/\/[\w.:[\]-]{1,200}$/i.test(origin)

/** A cache that was told to ignore `Cache-Control` still keeps the users apart. */
const WHO_ASKS = 'Cookie, Authorization'

/** On every answer. A literal, because that of a spread is sent more slowly. */
function privateHeaders(Vary: string): Record<string, string> {
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // A script or an image of another site has no business with a token.
    'Cross-Origin-Resource-Policy': 'same-origin',
    Vary,
  }
}

/** Who may ask, and what the answer says about it. */
export interface AccessPolicy {
  /** Headers for every answer to this request, failures too, in a new object. */
  headers(request: Request): Record<string, string>
  /** Returns the answer to a preflight, and nothing for a request to go on with. @throws {Problem} 403, 405 */
  admit(request: Request, headers: Record<string, string>): Response | undefined
}

/** Whether pages of an origin that is not the broker's own may ask. */
export type AllowedOrigins = (origin: string) => boolean

/**
 * Only the host counts: behind a proxy that ends TLS, the request's URL says http where the page's says https, and a proxy
 * may spell out the port (`Host: app.example:443`). So the request's host is read with the scheme of the page.
 */
function isSameHost(origin: string, url: string): boolean {
  const host = /^\w+:\/\/([^/?#]+)/.exec(url)?.[1]
  const scheme = /^https?:\/\//.exec(origin)?.[0]
  if (!scheme || !host || !URL.canParse(origin) || !URL.canParse(scheme + host)) return false
  return new URL(origin).host === new URL(scheme + host).host
}

/**
 * Lets pages of the broker's own origin and of `allowedOrigins` ask, and callers that are no browser.
 *
 * Browsers set `Sec-Fetch-Site` themselves and no page can forge it, so it decides where it is present. `none` is a
 * navigation that no page caused. Without it there is only `Origin`, which browsers leave out of same-origin GETs.
 *
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function createAccessPolicy(
  allowedOrigins: AllowedOrigins | undefined,
  report: Report,
  /** A function of the app's own sees each origin that it refuses. */
  isToldOfRefusals: boolean,
): AccessPolicy {
  const isShared = allowedOrigins !== undefined
  const told = new Set<string>()
  const methods = isShared ? 'GET, OPTIONS' : 'GET'

  function tellOnce(line: string) {
    if (told.has(line) || told.size >= MAX_TOLD_ORIGINS) return
    told.add(line)
    report(line)
  }

  function isAllowed(origin: string | null): origin is string {
    if (origin === null || origin === 'null' || !allowedOrigins) return false
    try {
      const answer: unknown = allowedOrigins(origin)
      isUnawaited(answer)
      // A promise is truthy, and would let everybody in.
      if (typeof answer !== 'boolean')
        tellOnce('allowedOrigins() must answer true or false at once, no promise.')
      return answer === true
    } catch (error) {
      tellOnce(`allowedOrigins() threw ${describeError(error)}`)
      return false
    }
  }

  function isAdmitted({ headers, url }: Request): boolean {
    const origin = headers.get('origin')
    if (origin === 'null') return false
    if (isAllowed(origin)) return true
    const site = headers.get('sec-fetch-site')
    if (site === 'same-origin') return true
    if (site !== null && site !== 'none') return false
    return origin === null || isSameHost(origin, url)
  }

  function tellRefused({ headers }: Request) {
    if (isToldOfRefusals) return
    const origin = headers.get('origin')
    if (!origin || !isNameable(origin)) return
    tellOnce(`A page of ${origin} was refused: it is not in allowedOrigins. If it is yours, add it.`)
  }

  return {
    headers(request) {
      if (!isShared) return privateHeaders(WHO_ASKS)
      const headers = privateHeaders(`Origin, ${WHO_ASKS}`)
      const origin = request.headers.get('origin')
      if (!isAllowed(origin)) return headers
      return {
        ...headers,
        'Cross-Origin-Resource-Policy': 'cross-origin',
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
      if (!isAdmitted(request)) {
        tellRefused(request)
        throw new Problem('origin_not_allowed')
      }
      if (!isPreflight) return undefined
      const asked = request.headers.get('access-control-request-headers')
      return new Response(null, {
        status: 204,
        headers: {
          ...headers,
          Vary: `${headers.Vary}, Access-Control-Request-Headers`,
          Allow: methods,
          'Access-Control-Allow-Methods': 'GET',
          'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE),
          ...(asked && { 'Access-Control-Allow-Headers': asked }),
        },
      })
    },
  }
}
