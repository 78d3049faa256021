import { digestOf } from '../wire.js'
import { createTestTokens, STATUS, type TokenAnswer } from './answer.js'

/** What {@link tokenHandlers} needs of MSW's `http`. */
export interface MswHttp<Handler> {
  /** Makes a handler for `GET`. */
  get(path: string, resolver: (info: { request: Request }) => Promise<Response>): Handler
}

/** What {@link tokenHandlers} needs of MSW's `HttpResponse`. */
export interface MswHttpResponse {
  /** Makes an answer of JSON. */
  json(body: unknown, init?: ResponseInit): Response
  /** Makes an answer that `fetch` takes for a network fault. */
  error(): Response
}

/** What the scripted broker of {@link tokenHandlers} answers: what a page tells by these codes, or nothing at all. */
export type HandlersAnswer =
  | TokenAnswer
  | 'signed_out'
  | 'rate_limited'
  | 'broker_error'
  | 'bad_response'
  | 'wrong_token'
  | 'unreachable'
  | 'pending'

/** Options of {@link tokenHandlers}. */
export interface TokenHandlersOptions<Handler> {
  /** MSW's `http`. */
  http: MswHttp<Handler>
  /** MSW's `HttpResponse`. */
  HttpResponse: MswHttpResponse
  /** The `tokenUrl` of the app, as MSW matches it. */
  tokenUrl: string
  /**
   * Asked at each request.
   * @default a token that lives for an hour
   */
  answer?: (() => HandlersAnswer) | undefined
}

/**
 * Handlers for MSW that answer at `tokenUrl` as the broker of this library does: a token is stored and given again, what
 * remains of its life with it; `refresh=true` replaces it, unless `held` or `refused` tells that it has been replaced
 * already; a failure is a problem document with the broker's status.
 *
 * @example
 * ```ts
 * import { http, HttpResponse } from 'msw'
 * import { setupServer } from 'msw/node'
 * import { tokenHandlers } from 'weavy-token/testing'
 *
 * const server = setupServer(...tokenHandlers({ http, HttpResponse, tokenUrl: '/api/token' }))
 * ```
 */
export function tokenHandlers<Handler>({
  http,
  HttpResponse,
  tokenUrl,
  answer: answerNow = () => ({}),
}: TokenHandlersOptions<Handler>): Handler[] {
  const newToken = createTestTokens()
  const refusedBefore = new Set<string>()
  let stored: { readonly token: string; readonly bornAt: number } | undefined

  /** Whether what is stored is what this request wants. */
  const isWanted = async (query: URLSearchParams, current: string): Promise<boolean> => {
    if (!query.has('refresh')) return true
    const digest = await digestOf(current)
    const refused = query.get('refused')
    if (refused === null) return query.has('held') && query.get('held') !== digest
    if (refusedBefore.has(refused)) return true
    refusedBefore.add(refused)
    if (digest) refusedBefore.add(digest)
    return false
  }

  const respond = async ({ request }: { request: Request }): Promise<Response> => {
    const answer = answerNow()
    const headers = { 'Cache-Control': 'no-store' }
    switch (answer) {
      case 'signed_out':
      case 'rate_limited':
      case 'broker_error':
        return HttpResponse.json(
          { title: answer, status: STATUS[answer] },
          { status: STATUS[answer], headers: { ...headers, 'Content-Type': 'application/problem+json' } },
        )
      case 'bad_response':
        return HttpResponse.json({}, { headers })
      case 'wrong_token':
        return HttpResponse.json({ access_token: 'no user token' }, { headers })
      case 'unreachable':
        return HttpResponse.error()
      case 'pending':
        return new Promise(() => {})
    }
    const now = Date.now()
    const { token, expiresIn = 3600, sub } = answer
    const age = stored ? (now - stored.bornAt) / 1000 : 0
    const isReusable = stored && age < (expiresIn ?? Number.POSITIVE_INFINITY) * 0.9
    if (!stored || !isReusable || !(await isWanted(new URL(request.url).searchParams, stored.token)))
      stored = { token: token ?? newToken(), bornAt: now }
    const remains = expiresIn === null ? undefined : Math.floor(expiresIn - (now - stored.bornAt) / 1000)
    return HttpResponse.json({ access_token: stored.token, expires_in: remains, sub }, { headers })
  }
  return [http.get(tokenUrl, respond)]
}
