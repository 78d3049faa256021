import { TokenError } from './errors.js'
import type { RequestInitOption, TokenRequest } from './types.js'
import { isOffline } from './wake.js'
import { isLoopback, retryAfterMs } from './wire.js'

/** Resolves a secure URL against the page; throws a TypeError that names the option. */
export function secureUrl(option: string, value: string | URL): URL {
  const { document, location } = globalThis
  let url: URL
  try {
    // As `fetch` does, <base> included. Without a page, a relative URL is only ever parsed: a server renders, it does
    // not fetch.
    url = new URL(value, document?.baseURI ?? location?.href ?? 'https://localhost')
  } catch {
    throw new TypeError(`${option} is not a URL`)
  }
  const { protocol, hostname } = url
  const isOwn = url.origin === location?.origin
  if (protocol !== 'https:' && !(protocol === 'http:' && (isOwn || isLoopback(hostname))))
    throw new TypeError(`${option} must be https:, except on localhost`)
  if (url.username || url.password) throw new TypeError(`${option} must not hold credentials`)
  return url
}

const statusError = (response: Response): TokenError => {
  const { status } = response
  const { headers } = response
  if (status === 401 || status === 403)
    return new TokenError('signed_out', 'The token broker knows no signed-in user. Sign in again.', {
      status,
    })
  return new TokenError(
    status === 429 ? 'rate_limited' : 'broker_error',
    `The token broker answered ${status}. See its log.`,
    { status, retryAfterMs: retryAfterMs(headers.get('retry-after'), headers.get('date')) },
  )
}

/** The function that asks the broker at `tokenUrl`, as Weavy's UIKit would. */
export function createFetchToken(
  tokenUrl: string | URL,
  requestInit: RequestInitOption = {},
  fetch: typeof globalThis.fetch = (...args) => globalThis.fetch(...args),
): (request: TokenRequest) => Promise<unknown> {
  secureUrl('tokenUrl', tokenUrl)
  return async ({ refresh, signal }) => {
    const url = secureUrl('tokenUrl', tokenUrl)
    if (refresh) url.searchParams.set('refresh', 'true')
    else url.searchParams.delete('refresh')
    const init = typeof requestInit === 'function' ? await requestInit() : requestInit
    const headers = new Headers(init.headers)
    if (!headers.has('accept')) headers.set('accept', 'application/json')
    const response = await fetch(url, {
      credentials: url.origin === globalThis.location?.origin ? 'same-origin' : 'include',
      ...init,
      headers,
      cache: 'no-store',
      redirect: 'follow',
      signal,
    })
    const redirectedAway = response.redirected && new URL(response.url).origin !== url.origin
    const isHtml = response.headers.get('content-type')?.includes('html')
    if (redirectedAway || (response.ok && isHtml))
      throw new TokenError(
        'signed_out',
        'A sign-in page answered in place of the token broker. Sign in again.',
        {
          status: response.status,
        },
      )
    if (!response.ok) throw statusError(response)
    return response.json()
  }
}

/** Bounds one request in time and turns whatever it throws into a TokenError. */
export async function ask(
  fetchToken: (request: TokenRequest) => Promise<unknown>,
  request: TokenRequest,
  timeoutMs: number,
): Promise<unknown> {
  const abort = new AbortController()
  const timeout = new TokenError('timeout', `The token broker did not answer within ${timeoutMs} ms.`)
  const onAbort = () => abort.abort(request.signal.reason)
  // Raced, not only aborted: a function that ignores its signal must not hold the slot.
  let timer: ReturnType<typeof setTimeout> | undefined
  const cut = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(abort.signal.reason)
    })
    timer = setTimeout(() => abort.abort(timeout), timeoutMs)
    ;(timer as { unref?: () => void }).unref?.()
  })
  request.signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([fetchToken({ ...request, signal: abort.signal }), cut])
  } catch (error) {
    if (error instanceof TokenError) throw error
    if (error instanceof SyntaxError)
      throw new TokenError('bad_response', 'The token broker answered with something that is not JSON.')
    // What quotes an answer is no cause to keep; a SyntaxError does so in part.
    const cause = error instanceof Error && !/wy[us]_/.test(error.message + error.stack) ? error : undefined
    if (isOffline()) throw new TokenError('offline', 'The browser is offline.', { cause })
    throw new TokenError('unreachable', 'The token broker could not be reached (network, CORS or CSP).', {
      cause,
    })
  } finally {
    clearTimeout(timer)
    request.signal.removeEventListener('abort', onAbort)
  }
}
