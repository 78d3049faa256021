import type { Asked } from './ask.js'
import { type Instant, msSince, readClock } from './clock.js'
import { readAnswer } from './read-answer.js'
import { badResponse, networkFailure, signInPage, unknownFailure } from './request-failure.js'
import { pageOrigin, relativeUrl, secureUrl } from './token-url.js'
import type { FetchToken, TokenRequest, TokenSourceOptions } from './types.js'
import { isOffline } from './wake.js'

/** A failed request is looked at once more no more often than that, so that the bound on requests holds in an outage. */
const SECOND_LOOK_MS = 60_000

const ELSEWHERE =
  " From another origin, cookies need requestInit: { credentials: 'include' } and allowedOrigins."

const checkedInit = (init: RequestInit): RequestInit => {
  let headers: Headers
  try {
    headers = new Headers(init.headers)
  } catch {
    // The error would quote the value of a header.
    throw badResponse('requestInit returned nothing that can be sent.')
  }
  if (!headers.has('accept')) headers.set('accept', 'application/json')
  return { credentials: 'same-origin', ...init, headers, cache: 'no-store' }
}

/** The function that asks the broker at `tokenUrl`, as Weavy's UIKit would. */
function createFetchToken(
  tokenUrl: string | URL,
  { requestInit = {}, fetch = (...args) => globalThis.fetch(...args) }: TokenSourceOptions,
): FetchToken {
  const { href, origin } = secureUrl('tokenUrl', tokenUrl)
  const here = pageOrigin()
  const hint = here && here !== origin ? ELSEWHERE : ''
  const [, path, query] = /([^?#]*)\??([^#]*)/.exec(href) as unknown as [string, string, string]
  const kept = query.split('&').filter((part) => !/^refresh(=|$)/.test(part))
  /** An unknown parameter meets no broker that would not know it. */
  let knowsDigests = false
  let lookedAt: Instant | undefined
  /** It redirects to a broker, not to a sign-in page. */
  let isMoved = false

  /** As text: `searchParams.set` throws in React Native. */
  const addressFor = ({ refresh, held, refused, sub }: TokenRequest): string => {
    // Another tab may have been answered.
    if (sub) knowsDigests = true
    const names = knowsDigests && refresh
    const parts = [
      ...kept,
      refresh && 'refresh=true',
      names && held && `held=${held}`,
      names && refused && `refused=${refused}`,
    ]
    return [path, parts.filter(Boolean).join('&')].filter(Boolean).join('?')
  }

  const called = async (make: () => RequestInit | Promise<RequestInit>): Promise<RequestInit> => {
    try {
      return await make()
    } catch (error) {
      throw badResponse('requestInit failed. See its cause.', error)
    }
  }

  const request = async (asked: Asked): Promise<unknown> => {
    const { signal } = asked
    if (!href) throw badResponse(relativeUrl('tokenUrl'))
    const url = addressFor(asked)
    asked.late = badResponse('requestInit did not return in time.')
    const init = checkedInit(typeof requestInit === 'function' ? await called(requestInit) : requestInit)
    asked.late = undefined
    if (signal.aborted) throw networkFailure(undefined)
    const send = async (redirect: RequestRedirect) => fetch(url, { ...init, redirect, signal })
    const response = await send('follow').catch(async (error) => {
      if (
        !signal.aborted &&
        !isOffline() &&
        !isMoved &&
        !(lookedAt && msSince(lookedAt, readClock()) < SECOND_LOOK_MS)
      ) {
        lookedAt = readClock()
        // A sign-in page of another origin without CORS fails like a broken network.
        const second = await send('manual').catch(() => undefined)
        if (second?.type === 'opaqueredirect') throw signInPage()
      }
      throw networkFailure(error, hint)
    })
    const answer = await readAnswer(response, { url, hint })
    isMoved = response.redirected
    if (Object(answer).sub) knowsDigests = true
    return answer
  }

  return (asked) =>
    request(asked).catch((error) => {
      throw unknownFailure(error)
    }) as ReturnType<FetchToken>
}

/**
 * Who is asked for tokens: `fetchToken`, or the broker at `tokenUrl`.
 *
 * @throws {TypeError} for both or neither of them, a URL that is unsafe, and for any function that is none
 */
export function brokerOf(options: TokenSourceOptions): FetchToken {
  const { tokenUrl, fetchToken } = options
  for (const option of ['fetchToken', 'fetch', 'onRequest', 'onRefused'] as const)
    if (options[option] !== undefined && typeof options[option] !== 'function')
      throw new TypeError(`${option} must be a function`)
  if (fetchToken !== undefined) {
    if (tokenUrl !== undefined) throw new TypeError('give either tokenUrl or fetchToken')
    return fetchToken
  }
  if (!tokenUrl)
    throw new TypeError(
      `tokenUrl is ${tokenUrl === '' ? 'empty' : tokenUrl}: give either tokenUrl or fetchToken`,
    )
  return createFetchToken(tokenUrl, options)
}
