import { isTokenError } from '../errors.js'
import { expectToken, readAnswer } from '../read-answer.js'
import { digestOf, isUserToken } from '../wire.js'

/** A page gives up after that. */
const TIMEOUT_MS = 10_000
const MAX_BODY = 64 * 1024

export interface Question {
  readonly refresh?: boolean
  readonly held?: string
  readonly refused?: string
  readonly method?: string
  /** In place of what the command was given. */
  readonly headers?: Headers
}

export interface Answer {
  /** What was asked, without the query of the broker's own address. */
  readonly asked: string
  readonly ms: number
  /** 0 when there was none. */
  readonly status: number
  /** What came, in words. */
  readonly came: string
  readonly headers: Headers
  /** Where it leads, without its query, when it is a redirect. */
  readonly location: string | undefined
  readonly isHtml: boolean
  /** A user token; no other value is kept as one. */
  readonly token: string | undefined
  readonly expiresIn: unknown
  readonly sub: unknown
  /** What a page would be told in place of a token. */
  readonly failure: string | undefined
}

export type AskBroker = (question?: Question) => Promise<Answer>

/** A token as it may be shown: its first four characters and a digest. */
export const shown = async (token: string): Promise<string> =>
  `${token.slice(0, 4)}… (#${(await digestOf(token))?.slice(0, 8)})`

async function boundedText(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > MAX_BODY) break
  }
  return text
}

const reasonOf = (error: unknown): string => {
  const { name, cause } = Object(error)
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`
  const { code = name, message = '' } = Object(cause)
  return `no answer (${/^[A-Z_]+$/.test(code) ? code : message || 'network'})`
}

/** Asks the broker as a page does, and reads its answer by the same rules. */
export function createAskBroker(tokenUrl: URL, given: Headers): AskBroker {
  return async ({ refresh, held, refused, method = 'GET', headers = given } = {}) => {
    const url = new URL(tokenUrl)
    url.searchParams.delete('refresh')
    const added = Object.entries({ refresh: refresh ? 'true' : undefined, held, refused }).flatMap(
      ([name, value]) => (value === undefined ? [] : [`${name}=${value}`]),
    )
    url.search = [url.search.slice(1), ...added].filter(Boolean).join('&')
    const asked = `${method} ${url.pathname}${added.length ? `?${added.join('&')}` : ''}`
    const sent = new Headers(headers)
    if (!sent.has('accept')) sent.set('accept', 'application/json')
    const began = performance.now()
    const answer = { asked, ms: 0, status: 0, headers: new Headers(), location: undefined, isHtml: false }
    const nothing = { token: undefined, expiresIn: undefined, sub: undefined, failure: undefined }
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const response = await fetch(url, { method, headers: sent, redirect: 'manual', signal })
      const text = await boundedText(response)
      const ms = performance.now() - began
      const { status } = response
      const target = response.headers.get('location')
      const at = target && URL.canParse(target, url) ? new URL(target, url) : undefined
      const location = at && at.origin + at.pathname
      const type = response.headers.get('content-type')?.split(';')[0] ?? 'no content type'
      const came = location ? `${status} to ${location}` : `${status} ${type}`
      const seen = {
        ...answer,
        ms,
        status,
        came,
        location,
        headers: response.headers,
        isHtml: /^\s*</.test(text),
      }
      try {
        const body = expectToken(
          await readAnswer(new Response(text || null, { status, headers: response.headers })),
        )
        const { access_token, expires_in, sub } = Object(body)
        const token = isUserToken(access_token) ? access_token : undefined
        const isKey = String(access_token).startsWith('wys_')
        const failure = token
          ? undefined
          : isKey
            ? 'an API key (wys_)'
            : access_token
              ? 'an access_token that is no user token (wyu_)'
              : 'JSON without an access_token'
        return { ...seen, token, expiresIn: expires_in, sub, failure }
      } catch (error) {
        return {
          ...seen,
          ...nothing,
          failure: isTokenError(error) ? error.message : 'an answer that cannot be read',
        }
      }
    } catch (error) {
      return {
        ...answer,
        ...nothing,
        ms: performance.now() - began,
        came: reasonOf(error),
        failure: reasonOf(error),
      }
    }
  }
}
