import { describeError } from './describe-error.js'
import type { Outcome } from './user-tokens.js'
import { isUnawaited } from './within.js'

/**
 * What happened to one request, `broker.token()` included. Plain, frozen objects for any telemetry library; no token, API
 * key, user id or URL is in one.
 *
 * - `reused`: a stored token was the answer
 * - `issued`: there was none, so Weavy was asked
 * - `replaced`: a newer one was wanted, so Weavy was asked
 * - `refused`: nobody is signed in, or the request was not to be answered: a status below 500
 * - `failed`: something did not work, the app's `user()`, Weavy, or the broker: a status of 500 and above
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
      /**
       * The last part of the problem's `type`: `not_signed_in`, `weavy_timeout`, …, or `answered_by_user` when `user()` threw a
       * `Response`. One of a fixed few, so it is fit for a label.
       */
      readonly code: string
    })

interface Answered {
  /** The HTTP status of the answer. */
  readonly status: number
  /** From the request to the answer, by the monotonic clock, in milliseconds. */
  readonly durationMs: number
}

/** Hands events to the app. A hook that fails harms nobody, and is told of once. */
export function createEvents(
  onEvent: ((event: BrokerEvent) => unknown) | undefined,
  report: (line: string) => void,
) {
  let isTold = false

  function rescue(error: unknown) {
    if (!isTold) report(`onEvent() failed: ${describeError(error)}`)
    isTold = true
  }

  function tell(event: BrokerEvent) {
    if (!onEvent) return
    try {
      isUnawaited(onEvent(Object.freeze(event)), rescue)
    } catch (error) {
      rescue(error)
    }
  }

  /** Milliseconds since an instant of the monotonic clock. */
  const since = (began: number) => performance.now() - began

  return {
    answered(how: Outcome['how'], called: boolean, began: number) {
      const durationMs = since(began)
      if (how === 'reused') tell({ type: how, status: 200, durationMs })
      else tell({ type: how, status: 200, durationMs, called })
    },
    failed(code: string, status: number, began: number) {
      tell({ type: status < 500 ? 'refused' : 'failed', status, durationMs: since(began), code })
    },
  }
}
