import { isUserToken } from '../wire.js'
import { Problem } from './problem.js'
import type { Profile } from './profile.js'
import { refusal, unreachable } from './weavy-failure.js'
import { TimeoutError, within } from './within.js'

/** How long Weavy may take to issue a token. Below the 10 s after which a page gives up, so it learns the reason. */
export const WEAVY_TIMEOUT_MS = 8_000
/** How long a profile update may hold up a token that is there already. */
export const PROFILE_TIMEOUT_MS = 2_000

export interface IssuedToken {
  token: string
  lifetimeMs: number
}

/** The two calls to Weavy. Each settles in time and rejects with a {@link Problem} alone. */
export interface WeavyApi {
  issueToken(uid: string, profile: Profile): Promise<IssuedToken>
  upsertUser(uid: string, profile: Profile): Promise<void>
}

export interface WeavyApiOptions {
  /** Without a slash at the end. Both are asked when a request to Weavy begins. */
  weavyUrl: () => string
  apiKey: () => string
  /** Seconds. */
  expiresIn: number
  fetch: typeof globalThis.fetch
}

interface Call {
  /** For the log: what did not work. */
  failed: string
  method: 'POST' | 'PUT'
  path: string
  body: Profile
  timeoutMs: number
}

const ISSUING_FAILED = 'Issuing a token failed'
const UPDATING_FAILED = 'Updating a profile failed'

function toJson(body: Profile): string {
  try {
    return JSON.stringify(body)
  } catch {
    throw new Problem('invalid_user', 'The profile that user() returned cannot be written as JSON.')
  }
}

function parseIssuedToken(text: string, expiresIn: number): IssuedToken {
  const bad = (reason: string) => new Problem('weavy_bad_answer', `${ISSUING_FAILED}: ${reason}`)
  let answer: Record<string, unknown>
  try {
    answer = JSON.parse(text) ?? {}
  } catch {
    throw bad('the answer is not JSON. Check weavyUrl.')
  }
  const { access_token: token, expires_in = expiresIn } = answer
  if (String(token).startsWith('wys_')) throw bad('the answer holds an API key instead of a user token.')
  if (!isUserToken(token)) throw bad('the answer holds no user token. Check weavyUrl.')
  const seconds = Number(expires_in)
  if (!(seconds > 0)) throw bad('expires_in is not a positive number.')
  // A token used for less than its life does no harm, and this keeps absurd lifetimes out.
  return { token, lifetimeMs: Math.min(seconds, expiresIn) * 1000 }
}

export function createWeavyApi({ weavyUrl, apiKey, expiresIn, fetch }: WeavyApiOptions): WeavyApi {
  async function send({ failed, method, path, body, timeoutMs }: Call): Promise<string> {
    const json = toJson(body)
    const controller = new AbortController()
    async function exchange() {
      const response = await fetch(`${weavyUrl()}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${apiKey()}`,
          'Content-Type': 'application/json',
          Accept: 'application/json',
        },
        body: json,
        redirect: 'manual',
        signal: controller.signal,
      })
      if (!response.ok) throw refusal(failed, response)
      return response.text()
    }
    try {
      return await within(timeoutMs, exchange())
    } catch (error) {
      // Also frees the connection of an answer whose body nobody reads.
      controller.abort()
      if (error instanceof Problem) throw error
      if (!(error instanceof TimeoutError)) throw unreachable(failed, error)
      throw new Problem('weavy_timeout', `${failed}: Weavy did not answer within ${timeoutMs} ms.`)
    }
  }

  const pathOf = (uid: string) => `/api/users/${encodeURIComponent(uid)}`

  return {
    async issueToken(uid, profile) {
      const text = await send({
        failed: ISSUING_FAILED,
        method: 'POST',
        path: `${pathOf(uid)}/tokens`,
        body: { ...profile, expires_in: expiresIn },
        timeoutMs: WEAVY_TIMEOUT_MS,
      })
      return parseIssuedToken(text, expiresIn)
    },
    async upsertUser(uid, profile) {
      await send({
        failed: UPDATING_FAILED,
        method: 'PUT',
        path: pathOf(uid),
        body: profile,
        timeoutMs: PROFILE_TIMEOUT_MS,
      })
    },
  }
}
