import {
  badResponse,
  failureOf,
  networkFailure,
  notJson,
  signInPage,
  statusFailure,
} from './request-failure.js'
import { originOf } from './token-url.js'
import { isUserToken } from './wire.js'

/** What a request tells about the answer to it. */
export interface Sent {
  readonly url: string
  /** What to look at when the broker is on another origin. */
  readonly hint: string
}

/** A `Response`, also one of another frame, of a polyfill, or of a mock. */
export const isResponse = (value: unknown): value is Response => typeof Object(value).json === 'function'

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const textOf = async (response: Response): Promise<string> => {
  if (response.bodyUsed) throw badResponse('fetchToken returned a Response that it had read.')
  try {
    return await (response.text?.() ?? response.json().then(JSON.stringify))
  } catch (error) {
    throw failureOf(error)
  }
}

/** Reads an answer by its body, whatever its label says. Resolves with JSON, or throws a TokenError. */
export async function readAnswer(
  response: Response,
  { url: asked, hint }: Partial<Sent> = {},
): Promise<unknown> {
  const { status, ok, type, url, headers } = response
  const isElsewhere = asked && url && originOf(url) !== originOf(asked)
  if (type === 'opaqueredirect') throw signInPage()
  if (status === 0) throw networkFailure(undefined, hint)
  if (ok === false) {
    if (isElsewhere && status < 500 && status !== 429) throw signInPage()
    const isProblem = headers?.get('content-type')?.includes('problem+json')
    const data = isProblem ? parsed(await textOf(response)) : undefined
    throw statusFailure({ status, headers, data }, asked?.replace(/^[^/]*\/\/[^/]*|\?.*/g, ''), hint)
  }
  const text = await textOf(response)
  const body = parsed(text)
  if (Object(body).access_token) return body
  if (response.redirected || isElsewhere) throw signInPage()
  if (/^\s*</.test(text))
    throw badResponse('HTML came in place of JSON. Does tokenUrl lead to the token broker?')
  if (body === undefined && !/^wy[us]_/.test(text)) throw notJson()
  return body ?? text.trim()
}

/** Lets an answer with a token pass, whatever it is; throws what to do about one that holds it elsewhere, or holds none. */
export function expectToken(answer: unknown): unknown {
  const { access_token, token, accessToken, message } = Object(answer)
  if (access_token) return answer
  const found = token ?? accessToken ?? answer
  if (isUserToken(found)) {
    const key = found === token ? 'token' : 'accessToken'
    const [name, read] =
      found === answer
        ? ['a bare token', 'await response.text()']
        : [`{ ${key} }`, `(await response.json()).${key}`]
    throw badResponse(
      `The token broker answered ${name}, not { access_token }. Let fetchToken return { access_token: ${read} }.`,
    )
  }
  // An API key, which is told of as one.
  if (typeof found === 'string' && found.startsWith('wys_')) return { access_token: found }
  if (message)
    throw badResponse(
      'The token broker answered { message }, not { access_token }. It should answer 401 when nobody is signed in.',
    )
  return answer
}
