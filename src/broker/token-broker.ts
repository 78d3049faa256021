import type { TokenResponse } from '../wire.js'
import { createAccessPolicy } from './access.js'
import { checkOptions } from './check-options.js'
import { ANY, type Ask, askOf, NEWER } from './decide.js'
import { describeError } from './describe-error.js'
import { digest } from './digest.js'
import { createEvents } from './events.js'
import { answerUnder, requestOf, wrongMount } from './mount.js'
import type { BrokerUser, TokenBrokerOptions } from './options.js'
import { Problem, problemResponse, tokenError } from './problem.js'
import { processMemory } from './process-memory.js'
import { createProfilePicker } from './profile.js'
import { createProfileSync } from './profile-sync.js'
import { remainingMs, subOfOwner } from './record.js'
import { createReport } from './report.js'
import { isA } from './safely.js'
import { readUser, type SignedInUser, signedInUser } from './signed-in-user.js'
import { guardStore } from './store.js'
import { isControlFlow, thrownProblem } from './thrown.js'
import { createTokenRecords } from './token-records.js'
import { checkUid, InvalidUidError } from './uid.js'
import { createUserTokens, type Outcome, tooLate } from './user-tokens.js'
import { createWeavyApi, type Environment } from './weavy-api.js'
import { type Budget, createBudget, isThenable, TimeoutError } from './within.js'

/** What a request takes at most, all its parts together. Below the 10 s after which a page gives up, so it learns the reason. */
export const REQUEST_TIMEOUT_MS = 9_500

/** Issues tokens for the signed-in users of one app. Its functions work without `this`. */
export interface TokenBroker<Context = unknown> {
  /**
   * Answers `GET` with `{ access_token, expires_in, sub }`, `?refresh=true` with a newer token, and a failure with a status and
   * `application/problem+json`. `held=` or `refused=` beside it, a digest each, says which token is to be replaced.
   * Rejects only with what `user` threw to steer Next.js, which has to reach it.
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
   * Forgets the token of a user, for good: nothing that is under way, in this process or another, brings it back. For
   * sign-out, and when tokens were revoked.
   *
   * Resolves to whether the store has taken it, within three seconds, and never rejects. `false` means that the store did
   * not, and the log says so: the token is forgotten in this process, and the store is told again every 5 s until it has taken
   * it. A uid that cannot exist is `false`, too.
   */
  forget: (uid: string) => Promise<boolean>
  /**
   * The token of a user for server code: a server action, a route that calls Weavy as the user. It is the one that the user's pages
   * get, from the same store and with the same single call to Weavy.
   *
   * @param options `refresh`: Weavy refused the token, bring a newer one. Within 5 s of a replacement that is the same one.
   * @throws {TokenError} `signed_out` when there is no user, `unreachable`, `timeout`, `rate_limited` or `broker_error`
   * @example
   * const { access_token } = await broker.token({ uid: toUid(session.userId) })
   */
  token: (
    user: BrokerUser | null | undefined,
    options?: { refresh?: boolean | undefined },
  ) => Promise<BrokerToken>
  /**
   * The `sub` that answers for a user carry, unless `user()` returns one of its own: 22 characters, the same in every process.
   * Rendered into a page beside `user`, it makes also the first answer certain.
   *
   * @throws {TypeError} on a uid that Weavy cannot take
   */
  subOf: (uid: string) => string
}

/** What the endpoint answers, and `broker.token()` gives. */
export interface BrokerToken extends TokenResponse {
  /** Seconds that remain, at least 1. */
  expires_in: number
  sub: string
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
 * one call to Weavy, on Cloudflare Workers one each. `refresh=true` replaces the token unless it has been replaced for the same
 * reason already. A user's token can be replaced 20 times at once, then once per 5 s; beyond that the answer is 429. Every answer
 * comes in bounded time, 9.5 s in all: `user` and Weavy have 8 s each, the store 1 s per call.
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
  const checked = checkOptions(options)
  const { weavyUrl, apiKey, user, expiresIn, syncProfile, profileFields, allowedOrigins, store, fetch, log } =
    checked

  const report = createReport(log)
  const pickProfile = createProfilePicker(profileFields, report)
  const access = createAccessPolicy(allowedOrigins, report, typeof options.allowedOrigins === 'function')
  const weavy = createWeavyApi({ expiresIn, fetch }, report)
  const memory = processMemory()
  const guarded = store && guardStore(store, report)
  const records = createTokenRecords(guarded, memory, expiresIn * 1000)
  const present = (): Environment => ({ weavyUrl: weavyUrl(), apiKey: apiKey() })
  const tokens = createUserTokens(weavy, records, memory.flights)
  const profileKeyOf = ({ weavyUrl }: Environment, uid: string) =>
    `weavy-token-profile:${digest(`${weavyUrl}/${uid}`)}`
  const profiles = createProfileSync(weavy, guarded, memory.profiles, profileKeyOf, report)
  const { answered, failed } = createEvents(checked.onEvent, report)

  const mountProblem = wrongMount()
  /** Requests that share a call to Weavy share its problem, and that is one line. */
  const reported = new WeakSet<Problem>()
  function reportOnce(problem: Problem) {
    if (problem.logLine === undefined || reported.has(problem)) return
    reported.add(problem)
    report(problem.logLine)
  }

  async function tokenOf(found: SignedInUser, ask: Ask, budget: Budget, began: number): Promise<BrokerToken> {
    const { uid, sub, profile } = found
    const environment = present()
    const get = (wanted: Ask) =>
      budget.within(REQUEST_TIMEOUT_MS, tokens.get(environment, uid, profile, wanted))
    // A call that another broker began may have asked for a longer life.
    const remains = ({ record: { issuedAt, lifetimeMs } }: Outcome) =>
      remainingMs({ issuedAt, lifetimeMs: Math.min(lifetimeMs, expiresIn * 1000) }, Date.now())
    const work = get(ask)
    let outcome = isThenable(work) ? await work : work
    if (syncProfile) await profiles(environment, uid, profile, budget)
    // The store or the profile took what was left of its life.
    if (remains(outcome) <= 0) outcome = await get(ANY)
    const leftMs = remains(outcome)
    if (leftMs <= 0) throw tooLate()
    const { record, how, called } = outcome
    answered(how, called, began)
    const seconds = Math.max(1, Math.floor(leftMs / 1000))
    return { access_token: record.token, expires_in: seconds, sub: sub ?? subOfOwner(record.owner) }
  }

  async function answer(
    request: Request,
    context: Context,
    headers: Record<string, string>,
    began: number,
  ): Promise<Response> {
    const preflight = access.admit(request, headers)
    if (preflight) return preflight
    const budget = createBudget(REQUEST_TIMEOUT_MS)
    const found = await signedInUser(() => user(request, context), pickProfile, budget)
    if (!('uid' in found)) {
      const response = withHeaders(found, headers)
      failed('answered_by_user', response.status, began)
      return response
    }
    const body = await tokenOf(found, askOf(request.url), budget, began)
    // Set, not spread into another object: Node's servers send that one a tenth slower.
    headers['Content-Type'] = 'application/json'
    return new Response(JSON.stringify(body), { headers })
  }

  function problemOf(error: unknown): Problem {
    if (isA(error, Problem)) return error
    if (isA(error, TimeoutError)) {
      return new Problem('weavy_timeout', `A request was not answered within ${REQUEST_TIMEOUT_MS} ms.`)
    }
    return new Problem('broker_failed', `Unforeseen: ${describeError(error)}`)
  }

  function answerFailure(error: unknown, headers: Record<string, string>, began: number): Response {
    const problem = problemOf(error)
    reportOnce(problem)
    const response = problemResponse(problem, headers)
    failed(problem.code, response.status, began)
    return response
  }

  async function refuseMount(incoming: unknown, context: unknown): Promise<Response> {
    const refused = answerFailure(mountProblem, { 'Cache-Control': 'no-store' }, performance.now())
    await answerUnder(incoming, context, refused)
    return refused
  }

  return {
    async fetch(incoming: unknown, context?: unknown) {
      const request = requestOf(incoming)
      if (!request) return refuseMount(incoming, context)
      const began = performance.now()
      const headers = access.headers(request)
      try {
        return await answer(
          request,
          (request === incoming ? context : (context ?? incoming)) as Context,
          headers,
          began,
        )
      } catch (error) {
        if (isControlFlow(error)) throw error
        return answerFailure(error, headers, began)
      }
    },
    async forget(uid) {
      try {
        return await tokens.forget(present(), checkUid(uid))
      } catch (error) {
        const { message } = error instanceof InvalidUidError ? error : problemOf(error)
        report(`forget() did nothing. ${message}`)
        return false
      }
    },
    async token(signedIn, { refresh = false } = {}) {
      const began = performance.now()
      try {
        if (!signedIn) throw new Problem('not_signed_in')
        const found = readUser(signedIn, pickProfile)
        return await tokenOf(found, refresh ? NEWER : ANY, createBudget(REQUEST_TIMEOUT_MS), began)
      } catch (error) {
        const problem = problemOf(isA(error, InvalidUidError) ? thrownProblem(error) : error)
        reportOnce(problem)
        const failure = tokenError(problem)
        failed(problem.code, failure.status, began)
        throw failure
      }
    },
    subOf: (uid) => digest(checkUid(uid)),
  }
}
