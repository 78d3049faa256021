/**
 * What happened to one request, `broker.token()` included. Plain, frozen objects for any telemetry library; no token, API
 * key, user id or URL is in one.
 *
 * - `reused`: a stored token was the answer
 * - `issued`: there was none, so Weavy was asked
 * - `replaced`: a newer one was wanted, so Weavy was asked
 * - `refused`: the broker said no, with a status of 401, 403, 405 or 429
 * - `failed`: something did not work: the app's `user()`, Weavy, or the broker
 */
export type BrokerEvent =
  | (Answered & { readonly type: 'reused' })
  | (Answered & {
      readonly type: 'issued' | 'replaced'
      /** Whether this request made the call to Weavy. Requests that waited for the same call say `false`. */
      readonly called: boolean
    })
  | (Answered & {
      readonly type: 'refused' | 'failed'
      /** The last part of the problem's `type`: `not_signed_in`, `weavy_timeout`, … */
      readonly code: string
    })

interface Answered {
  /** The HTTP status of the answer. */
  readonly status: number
  /** From the request to the answer, by the monotonic clock, in milliseconds. */
  readonly durationMs: number
}
