/** What page and broker agree on. Each of these facts has its one home here. */

/** What a token broker answers with status 200. */
export interface TokenResponse {
  /** A Weavy user access token, `wyu_…`. */
  access_token: string
  /** Seconds that remain. Missing: unknown, the token is used until Weavy refuses it. */
  expires_in?: number | string | null | undefined
  /** An opaque name of the user whom the token belongs to. One `sub` belongs to one user. */
  sub?: string | null | undefined
}

/** A user token is `wyu_` and printable ASCII without white space, so that no header and no log line breaks on it. */
export const isUserToken = (value: unknown): value is string =>
  typeof value === 'string' && /^wyu_[!-~]+$/.test(value)

/** Hosts to which `http:` is as good as `https:`. */
export const isLoopback = (hostname: string): boolean =>
  /^((.+\.)?localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)

/** The last part of a life, in which a newer token is wanted: 10 %, 60 s at most. */
export const leadMs = (lifetimeMs: number): number => Math.min(lifetimeMs * 0.1, 60_000)

/**
 * Milliseconds that a `Retry-After` names: seconds, or an HTTP date, which is read against the answer's own `Date`.
 * `undefined` for anything else. A fraction or a sign of seconds is understood; less than nothing is no time at all.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(retryAfter: string | null, date: string | null): number | undefined {
  const value = retryAfter?.trim()
  if (!value) return undefined
  if (/^[+-]?\d+(\.\d*)?$/.test(value)) return Number(value) < 0 ? undefined : Number(value) * 1000
  const ms = Date.parse(value) - (Date.parse(date ?? '') || Date.now())
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0)
}

/** 22 characters of base64url SHA-256; `undefined` where `crypto.subtle` is missing, as on plain `http:`. */
export async function digestOf(value: string): Promise<string | undefined> {
  const bytes = await globalThis.crypto?.subtle?.digest('SHA-256', new TextEncoder().encode(value))
  if (!bytes) return undefined
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)))
  return text.slice(0, 22).replaceAll('+', '-').replaceAll('/', '_')
}
