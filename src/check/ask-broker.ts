import type { TokenError } from '../errors.js'
import { expectToken, readAnswer } from '../read-answer.js'
import { digestOf, isUserToken } from '../wire.js'

/** A page gives up after that. */
const TIMEOUT_MS = 10_000
const MAX_BODY = 64 * 1024
const REDIRECTS = [301, 302, 303, 307, 308]
/** As many as a browser follows. */
const MAX_REDIRECTS = 20

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
  /** Those of redirects before it. */
  readonly redirects: readonly Headers[]
  /** Where a redirect led, without its query, when no broker answered there: another origin, or a sign-in page. */
  readonly location?: string | undefined
  readonly isHtml: boolean
  /** A user token; no other value is kept as one. */
  readonly token?: string | undefined
  readonly expiresIn?: unknown
  readonly sub?: unknown
  /** What a page would be told in place of a token. */
  readonly failure?: string | undefined
}

export type AskBroker = (question?: Question) => Promise<Answer>

/** A token as it may be shown: its first four characters and a digest. */
export const shown = async (token: string): Promise<string> =>
  `${token.slice(0, 4)}… (#${String(await digestOf(token)).slice(0, 8)})`

async function boundedText(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > MAX_BODY) break
  }
  return text
}

/** What came from the broker as it may be shown: without tokens, keys, and what sessions are kept in, `;jsessionid=…`. */
export const shownText = (text: string): string =>
  text.replace(/(?:;|%3b)[^\s/]+/gi, '').replace(/(wy[us])(?:_|%5f)\S*/gi, '$1_…')

const shownUrl = ({ origin, pathname }: URL): string => shownText(origin + pathname)

const targetOf = ({ status, headers }: Response, url: URL): URL | undefined => {
  const location = headers.get('location')
  return REDIRECTS.includes(status) && location !== null && URL.canParse(location, url)
    ? new URL(location, url)
    : undefined
}

/** Follows redirects as a browser does, but within the origin: what the command was given goes to no other one. */
async function follow(first: URL, init: RequestInit) {
  const redirects: Headers[] = []
  const steps: string[] = []
  for (let at = first; ; ) {
    const response = await fetch(at, { ...init, redirect: 'manual' })
    const { status, headers } = response
    const target = targetOf(response, at)
    const type = headers.get('content-type')?.split(';')[0] ?? 'no content type'
    steps.push(target ? `${status} to ${shownUrl(target)}` : `${status} ${shownText(type)}`)
    // No browser follows that of a preflight.
    const isFollowed = init.method === 'GET' && redirects.length < MAX_REDIRECTS
    if (target?.origin !== first.origin || !isFollowed) {
      const came = [...new Set([steps[0], steps.at(-1)])].join(', then ')
      return { response, at: target ?? at, isCut: target !== undefined, redirects, came }
    }
    await response.body?.cancel()
    redirects.push(headers)
    at = target
  }
}

const reasonOf = (error: unknown): string => {
  const { name, cause } = Object(error)
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`
  const { message = 'network', code = message } = Object(cause)
  return `no answer (${shownText(String(code))})`
}

/** Asks the broker as a page does, and reads its answer by the same rules. */
export function createAskBroker(tokenUrl: URL, given: Headers): AskBroker {
  return async ({ refresh, held, refused, method = 'GET', headers = given } = {}) => {
    const url = new URL(tokenUrl)
    url.searchParams.delete('refresh')
    const added = Object.entries({ refresh: refresh ? 'true' : undefined, held, refused }).flatMap(
      ([name, value]) => (value === undefined ? [] : [`${name}=${value}`]),
    )
    url.search = [url.search, ...added].filter(Boolean).join('&')
    const asked = `${method} ${url.pathname}${added.length ? `?${added.join('&')}` : ''}`
    const sent = new Headers(headers)
    if (!sent.has('accept')) sent.set('accept', 'application/json')
    const began = performance.now()
    const sinceThen = () => performance.now() - began
    try {
      const init = { method, headers: sent, signal: AbortSignal.timeout(TIMEOUT_MS) }
      const { response, at, isCut, redirects, came } = await follow(url, init)
      const text = await boundedText(response)
      const { status, headers, ok } = response
      const isHtml = /^\s*</.test(text)
      const seen = { asked, ms: sinceThen(), status, came, headers, redirects, isHtml }
      try {
        const read = { status, ok, headers, redirected: redirects.length > 0, text: async () => text }
        const body = expectToken(await readAnswer(read as Response))
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
        const { code, message } = error as TokenError
        const isAstray = isCut || (ok && code === 'signed_out')
        return { ...seen, location: isAstray ? shownUrl(at) : undefined, failure: message }
      }
    } catch (error) {
      const came = reasonOf(error)
      return { asked, ms: sinceThen(), status: 0, came, headers: new Headers(), redirects: [], isHtml: false }
    }
  }
}
