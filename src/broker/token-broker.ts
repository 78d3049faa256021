import type { TokenResponse } from '../wire.js'
import { createAccessPolicy } from './access.js'
import { checkOptions } from './check-options.js'
import { describeError } from './describe-error.js'
import { answerUnder, requestOf, wrongMount } from './mount.js'
import type { TokenBrokerOptions } from './options.js'
import { Problem, problemResponse } from './problem.js'
import { createProfilePicker } from './profile.js'
import { createProfileSync } from './profile-sync.js'
import { createReport } from './report.js'
import { signedInUser } from './signed-in-user.js'
import { createMemoryStore, guardStore, MEMORY_STORE_ENTRIES } from './store.js'
import { remainingMs } from './stored-token.js'
import { isControlFlow } from './thrown.js'
import { checkUid, InvalidUidError } from './uid.js'
import { createUserTokens } from './user-tokens.js'
import { createWeavyApi } from './weavy-api.js'
import { createBudget, TimeoutError } from './within.js'

/** What a request takes at most, all its parts together. Below the 10 s after which a page gives up, so it learns the reason. */
export const REQUEST_TIMEOUT_MS = 9_500

/** Issues tokens for the signed-in users of one app. Its functions work without `this`. */
export interface TokenBroker<Context = unknown> {
  /**
   * Answers `GET` with `{ access_token, expires_in }`, `?refresh=true` with a newer token, and a failure with a status and
   * `application/problem+json`. Rejects only with what `user` threw to steer Next.js, which has to reach it.
   *
   * Takes a `Request`, or the event of SvelteKit, Astro or React Router, whose `request` it is; `user` then gets the event as
   * its `context`. Where a server hands over neither (Express, `node:http`), the answer is 500, and the log has the cure.
   */
  fetch: {
    (event: Context & { readonly request: Request }): Promise<Response>
    // The last one is what Next.js checks.
    (
      request: Request,
      ...context: unknown extends Context ? [context?: unknown] : [context: Context]
    ): Promise<Response>
  }
  /**
   * Drops the stored token of a user; requests under way store nothing. For sign-out, and when tokens were revoked.
   * Resolves within a second and never rejects; a store that failed is in the log.
   */
  forget: (uid: string) => Promise<void>
}

/** Only this spelling is on the wire, so no URL need be parsed for it, however long. */
function asksForNewToken(request: Request): boolean {
  return /[?&]refresh=true(?:[&#]|$)/.test(request.url)
}

/** What the app threw instead of a user, with the headers that every answer carries. */
function withHeaders(response: Response, headers: Record<string, string>): Response {
  const { status, statusText, body } = response
  const merged = new Headers(response.headers)
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'Vary') merged.append(name, value)
    else merged.set(name, value)
  }
  try {
    return new Response(body, { status, statusText, headers: merged })
  } catch {
    throw new Problem('user_failed', 'user() threw a Response that cannot be sent: an error, or read before.')
  }
}

/**
 * Creates the endpoint that pages get their Weavy tokens from. The API key stays on the server.
 *
 * One token per user is kept and reused until the last 10 % of its life (at most 60 s). Concurrent requests for one user cost
 * one call to Weavy; `refresh=true` replaces the token, and within 5 s of that gets the same new one. Every answer comes in
 * bounded time, 9.5 s in all: `user` and Weavy have 8 s each, the store 1 s per call.
 *
 * @throws {TypeError} on an option that is missing or out of its bounds
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * const broker = createTokenBroker({
 *   weavyUrl: process.env.WEAVY_URL,
 *   apiKey: process.env.WEAVY_APIKEY,
 *   user: async (request) => {
 *     const session = await readSession(request)
 *     return session && { uid: toUid(session.userId), name: session.name }
 *   },
 * })
 * export const GET = broker.fetch
 */
export function createTokenBroker<Context = unknown>(
  options: TokenBrokerOptions<Context>,
): TokenBroker<Context> {
  const { weavyUrl, apiKey, user, expiresIn, syncProfile, profileFields, allowedOrigins, store, fetch, log } =
    checkOptions(options)

  const report = createReport(log)
  const pickProfile = createProfilePicker(profileFields, report)
  const access = createAccessPolicy(allowedOrigins, report)
  const weavy = createWeavyApi({ weavyUrl, apiKey, expiresIn, fetch }, report)
  const entries = syncProfile ? 2 * MEMORY_STORE_ENTRIES : MEMORY_STORE_ENTRIES
  const guarded = guardStore(store ?? createMemoryStore(entries), report)
  // A uid has no slash, so no two environments share a key.
  const tokens = createUserTokens(weavy, guarded, (uid) => `weavy-token:token:${weavyUrl()}/${uid}`)
  const profiles = createProfileSync(
    weavy,
    guarded,
    (uid) => `weavy-token:profile:${weavyUrl()}/${uid}`,
    report,
  )

  const mountProblem = wrongMount()
  /** Requests that share a call to Weavy share its problem, and that is one line. */
  const reported = new WeakSet<Problem>()
  function reportOnce(problem: Problem) {
    if (problem.logLine === undefined || reported.has(problem)) return
    reported.add(problem)
    report(problem.logLine)
  }

  async function answer(
    request: Request,
    context: Context,
    headers: Record<string, string>,
  ): Promise<Response> {
    const preflight = access.admit(request, headers)
    if (preflight) return preflight
    const budget = createBudget(REQUEST_TIMEOUT_MS)
    const found = await signedInUser(() => user(request, context), pickProfile, budget)
    if (!('uid' in found)) return withHeaders(found, headers)
    const { uid, profile } = found
    const work = (asksForNewToken(request) ? tokens.replaced : tokens.current)(uid, profile)
    const stored = await budget.within(REQUEST_TIMEOUT_MS, work)
    if (syncProfile) await profiles(uid, profile, budget)
    const seconds = Math.max(1, Math.floor(remainingMs(stored, Date.now()) / 1000))
    const body: TokenResponse = { access_token: stored.token, expires_in: seconds }
    // Set, not spread into another object: Node's servers send that one a tenth slower.
    headers['Content-Type'] = 'application/json'
    return new Response(JSON.stringify(body), { headers })
  }

  function problemOf(error: unknown): Problem {
    if (error instanceof Problem) return error
    if (error instanceof TimeoutError) {
      return new Problem('weavy_timeout', `A request was not answered within ${REQUEST_TIMEOUT_MS} ms.`)
    }
    return new Problem('broker_failed', `Unforeseen: ${describeError(error)}`)
  }

  function answerFailure(error: unknown, headers: Record<string, string>): Response {
    const problem = problemOf(error)
    reportOnce(problem)
    return problemResponse(problem, headers)
  }

  async function refuseMount(incoming: unknown, context: unknown): Promise<Response> {
    const refused = answerFailure(mountProblem, { 'Cache-Control': 'no-store' })
    await answerUnder(incoming, context, refused)
    return refused
  }

  return {
    async fetch(incoming: unknown, context?: unknown) {
      const request = requestOf(incoming)
      if (!request) return refuseMount(incoming, context)
      const headers = access.headers(request)
      try {
        return await answer(
          request,
          (request === incoming ? context : (context ?? incoming)) as Context,
          headers,
        )
      } catch (error) {
        if (isControlFlow(error)) throw error
        return answerFailure(error, headers)
      }
    },
    async forget(uid) {
      try {
        await tokens.forget(checkUid(uid))
      } catch (error) {
        if (!(error instanceof InvalidUidError)) throw error
        report(`forget() did nothing. ${error.message}`)
      }
    },
  }
}
