import { isLoopback } from './wire.js'

/** Protocol, credentials, host and port of an absolute URL; as text, because the `URL` of React Native has no accessors. */
const PARTS = /^([a-z][a-z\d+.-]*:)\/\/([^/?#]*@)?(\[[^\]]*\]|[^/?#:]+)(:\d+)?/i

/** The origin of an absolute URL, custom schemes included; empty where there is none, as in `file:` and `blob:`. */
export function originOf(href: string | undefined): string {
  const [, protocol, , host, port = ''] = PARTS.exec(href ?? '') ?? []
  return protocol ? `${protocol}//${host}${port}` : ''
}

/** The page's own address, never its `<base>`, which can be injected. `about:srcdoc` and `blob:` pages have an origin. */
function pageAddress(): string | undefined {
  const { location, origin } = globalThis
  return location && !originOf(location.href) ? origin : location?.href
}

export const pageOrigin = (): string => originOf(pageAddress())

export interface SecureUrl {
  /** Empty for a relative URL without a page: a server renders, it does not fetch. */
  readonly href: string
  readonly origin: string
}

export const relativeUrl = (option: string): string =>
  `${option} is relative, and no page has an origin for it: give the full URL`

/** Resolves a secure URL against the page; throws a TypeError that names the option. */
export function secureUrl(option: string, value: string | URL): SecureUrl {
  const text = String(value)
  const own = pageOrigin()
  if (!own && !/^\s*[a-z][a-z\d+.-]*:/i.test(text)) {
    if (!globalThis.location) return { href: '', origin: '' }
    throw new TypeError(relativeUrl(option))
  }
  let href: string
  try {
    href = new URL(text, own ? pageAddress() : undefined).href
  } catch {
    throw new TypeError(`${option} is not a URL`)
  }
  // The one of React Native always ends with a slash.
  if (href === `${text}/`) href = text
  const origin = originOf(href)
  const [, protocol, credentials, host = ''] = PARTS.exec(href) ?? []
  const isOwn = origin && origin === own
  if (protocol !== 'https:' && !isOwn && !(protocol === 'http:' && isLoopback(host)))
    throw new TypeError(`${option} must be https:, except on localhost and the page's own origin`)
  if (credentials) throw new TypeError(`${option} must not hold credentials`)
  return { href, origin }
}
