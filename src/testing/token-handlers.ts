import { digest } from '../broker/digest.js'
import { Problem, problemResponse } from '../broker/problem.js'
import { reusableMs } from '../broker/record.js'
import { DEFAULT_RETRY_AFTER } from '../broker/weavy-failure.js'
import { createTestTokens, type TokenAnswer } from './answer.js'

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

const retryAfter = { 'Retry-After': String(DEFAULT_RETRY_AFTER) }
const PROBLEMS = {
  signed_out: new Problem('not_signed_in'),
  rate_limited: new Problem('rate_limited', undefined, retryAfter),
  broker_error: new Problem('weavy_unavailable', undefined, retryAfter),
}

/** A token of one user. */
interface Stored {
  readonly token: string
  readonly issuedAt: number
  /** Digests of tokens that were refused, and have been replaced for it. */
  readonly refused: Set<string>
}

/** Whether what is stored is what this request wants. */
const isWanted = (query: URLSearchParams, { token, refused }: Stored): boolean => {
  if (!query.has('refresh')) return true
  const own = digest(token)
  const told = query.get('refused')
  if (told === null) return query.has('held') && query.get('held') !== own
  if (refused.has(told) && told !== own) return true
  refused.add(told).add(own)
  return false
}

/**
 * Handlers for MSW that answer at `tokenUrl` as the broker of this library does: a token is stored for each `sub` and given
 * again, what remains of its life with it; `refresh=true` replaces it, unless `held` or `refused` tells that it has been
 * replaced already, and so does another `token`; a failure is the broker's own problem document. Unlike the broker they give
 * another token at each plain `refresh=true`, also within 5 s, and never answer that it was replaced too often.
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
  const stored = new Map<string | undefined, Stored>()

  const respond = async ({ request }: { request: Request }): Promise<Response> => {
    const answer = answerNow()
    const headers = { 'Cache-Control': 'no-store' }
    switch (answer) {
      case 'signed_out':
      case 'rate_limited':
      case 'broker_error':
        return problemResponse(PROBLEMS[answer], headers)
      case 'bad_response':
        return HttpResponse.json({}, { headers })
      case 'wrong_token':
        return HttpResponse.json({ access_token: 'no user token' }, { headers })
      case 'unreachable':
        return HttpResponse.error()
      case 'pending':
        return new Promise(() => {})
    }
    const { token, expiresIn = 3600, sub } = answer
    const now = Date.now()
    const lifetimeMs = (expiresIn ?? Number.POSITIVE_INFINITY) * 1000
    const kept = stored.get(sub)
    const isGood =
      kept &&
      (token ?? kept.token) === kept.token &&
      reusableMs({ issuedAt: kept.issuedAt, lifetimeMs }, now) > 0 &&
      isWanted(new URL(request.url).searchParams, kept)
    const given = isGood
      ? kept
      : { token: token ?? newToken(), issuedAt: now, refused: kept?.refused ?? new Set<string>() }
    stored.set(sub, given)
    const remains = expiresIn === null ? undefined : Math.floor(expiresIn - (now - given.issuedAt) / 1000)
    return HttpResponse.json({ access_token: given.token, expires_in: remains, sub }, { headers })
  }
  return [http.get(tokenUrl, respond)]
}
