import { isUserToken } from '../wire.js'
import { createBreaker } from './breaker.js'
import { exchange } from './exchange.js'
import { Problem } from './problem.js'
import type { Profile } from './profile.js'
import type { Report } from './report.js'

/** How long Weavy may take to issue a token. Below the 10 s after which a page gives up, so it learns the reason. */
export const WEAVY_TIMEOUT_MS = 8_000
/** How long a profile update may hold up a token that is there already. */
export const PROFILE_TIMEOUT_MS = 2_000
/** Characters. Longer ones fit into no header that servers take. */
export const MAX_TOKEN_LENGTH = 4_096

export interface IssuedToken {
  token: string
  lifetimeMs: number
}

/** What a request is about from its beginning to its end, whatever `weavyUrl()` and `apiKey()` say meanwhile. */
export interface Environment {
  /** Without a slash at the end. */
  readonly weavyUrl: string
  readonly apiKey: string
}

/** The two calls to Weavy. Each settles in time and rejects with a {@link Problem} alone. */
export interface WeavyApi {
  issueToken(environment: Environment, uid: string, profile: Profile): Promise<IssuedToken>
  upsertUser(environment: Environment, uid: string, profile: Profile): Promise<void>
  /** Whether an update of this user's profile has any prospect, so that a request may wait for it. */
  takesProfiles(uid: string): boolean
}

export interface WeavyApiOptions {
  /** Seconds. */
  expiresIn: number
  fetch: typeof globalThis.fetch
}

const ISSUING_FAILED = 'Issuing a token failed'
const UPDATING_FAILED = 'Updating a profile failed'
/** What a call takes at most besides its time-out. */
const SLACK_MS = 1_000

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
  const { access_token: token, expires_in } = answer
  const life = expires_in ?? expiresIn
  if (typeof token === 'string' && token.startsWith('wys_')) {
    throw bad('the answer holds an API key instead of a user token.')
  }
  if (!isUserToken(token)) throw bad('the answer holds no user token. Check weavyUrl.')
  if (token.length > MAX_TOKEN_LENGTH) throw bad(`the token is longer than ${MAX_TOKEN_LENGTH} characters.`)
  const seconds = typeof life === 'number' || typeof life === 'string' ? Number(life) : Number.NaN
  if (!(seconds > 0)) throw bad('expires_in is not a positive number.')
  // A token used for less than its life does no harm, and this keeps absurd lifetimes out.
  return { token, lifetimeMs: Math.min(seconds, expiresIn) * 1000 }
}

export function createWeavyApi({ expiresIn, fetch }: WeavyApiOptions, report: Report): WeavyApi {
  const tokens = createBreaker(
    { name: 'Weavy issues tokens again', maxCallMs: WEAVY_TIMEOUT_MS + SLACK_MS, isStrict: false },
    report,
  )
  const profiles = createBreaker(
    { name: 'Weavy takes profiles again', maxCallMs: PROFILE_TIMEOUT_MS + SLACK_MS, isStrict: true },
    report,
  )

  function send(call: {
    environment: Environment
    failed: string
    method: 'POST' | 'PUT'
    path: string
    body: Profile
    timeoutMs: number
  }) {
    const { environment, body, path, ...rest } = call
    const { weavyUrl, apiKey } = environment
    const request = { ...rest, url: `${weavyUrl}${path}`, apiKey, json: toJson(body) }
    return () => exchange(fetch, request)
  }

  const pathOf = (uid: string) => `/api/users/${encodeURIComponent(uid)}`

  return {
    async issueToken(environment, uid, profile) {
      const sending = send({
        environment,
        failed: ISSUING_FAILED,
        method: 'POST',
        path: `${pathOf(uid)}/tokens`,
        body: { ...profile, expires_in: expiresIn },
        timeoutMs: WEAVY_TIMEOUT_MS,
      })
      return tokens.run(uid, async () => parseIssuedToken(await sending(), expiresIn))
    },
    async upsertUser(environment, uid, profile) {
      // What keeps tokens from coming keeps profiles from arriving. It is in the log already.
      if (tokens.isDown()) throw new Problem('weavy_unavailable')
      const sending = send({
        environment,
        failed: UPDATING_FAILED,
        method: 'PUT',
        path: pathOf(uid),
        body: profile,
        timeoutMs: PROFILE_TIMEOUT_MS,
      })
      await profiles.run(uid, sending)
    },
    takesProfiles: (uid) => !tokens.isDown() && !profiles.isDown() && !profiles.isDoubted(uid),
  }
}
