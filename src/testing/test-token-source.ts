import { createTokenSource, type FetchToken, type TokenSource, type TokenSourceOptions } from 'weavy-token'
import { internalsOf } from '../internals.js'
import { type Answer, createTestTokens, errorOf, isFailure } from './answer.js'

/** Options of {@link createTestTokenSource}: those of a token source that do not say how to ask a broker. */
export type TestTokenSourceOptions = Omit<
  TokenSourceOptions,
  'tokenUrl' | 'fetchToken' | 'requestInit' | 'fetch'
>

/** One request that a source sent to its scripted broker. */
export interface TestRequest {
  /** A newer token than the last one was wanted. */
  readonly refresh: boolean
  /** A token had been refused. */
  readonly rejected: boolean
}

/** A token source whose broker obeys the test. */
export interface TestTokenSource extends TokenSource {
  /** Says what the next request gets, and each one after it, and a request that is pending. */
  answer(this: void, next: Answer): void
  /**
   * Asks the broker now, whatever the schedule says. Resolves when the state shows how the request ended, whatever
   * `maxWaitMs` says, and at once when the answer is `'pending'`. Never rejects.
   */
  refresh(this: void): Promise<void>
  /** The requests so far, oldest first. */
  readonly requests: readonly TestRequest[]
}

/**
 * Creates a real token source over a broker that does what the test says: nothing is mocked, no timer or global is
 * touched, and nothing outlives `close()`, or the end of a `using` block.
 *
 * A caller without a token gets the outcome of one request: `maxWaitMs` is 0 unless it is given.
 *
 * @param first what the first request gets, and each one after it until `answer()`
 * @default a token that lives for an hour
 * @throws {TypeError} as `createTokenSource`
 * @example
 * ```ts
 * import { createTestTokenSource } from 'weavy-token/testing'
 *
 * const source = createTestTokenSource()
 * await source.refresh() // ready
 * source.answer('broker_error')
 * await source.refresh() // stale
 * source.close()
 * ```
 */
export function createTestTokenSource(
  first: Answer = {},
  options: TestTokenSourceOptions = {},
): TestTokenSource {
  let next = first
  const newToken = createTestTokens()
  const requests: TestRequest[] = []
  /** Called when the answer changes. */
  const changes = new Set<() => void>()
  /** Called when a request is pending. */
  const holds = new Set<() => void>()
  /** Called when a request has ended, and no other one has followed at once. */
  const ends = new Set<() => void>()
  const { onRequest = () => {} } = options

  const fetchToken: FetchToken = async ({ refresh, rejected, signal }) => {
    requests.push({ refresh, rejected: rejected !== undefined })
    while (next === 'pending')
      await new Promise<void>((resolve) => {
        changes.add(resolve)
        // Nobody waits for it any more.
        signal.addEventListener('abort', () => changes.delete(resolve))
        for (const hold of holds) hold()
      })
    if (isFailure(next)) throw errorOf(next)
    const { token = newToken(), expiresIn = 3600, sub } = next
    return { access_token: token, expires_in: expiresIn, sub }
  }

  const tellEnd = async () => {
    const { length } = requests
    await undefined
    if (requests.length === length) for (const end of ends) end()
  }

  const source = createTokenSource({
    ...options,
    maxWaitMs: options.maxWaitMs ?? 0,
    fetchToken,
    onRequest:
      typeof onRequest === 'function'
        ? (event) => {
            void tellEnd()
            onRequest(event)
          }
        : onRequest,
  })
  return Object.assign(source, {
    requests,
    answer(answer: Answer) {
      next = answer
      for (const change of changes) change()
      changes.clear()
    },
    refresh: () =>
      new Promise<void>((resolve) => {
        const end = () => {
          holds.delete(end)
          ends.delete(end)
          resolve()
        }
        holds.add(end)
        ends.add(end)
        // Without a request only this tells.
        internalsOf(source).getToken({ hurry: true }).then(end, end)
        // It may have been pending before.
        if (changes.size) end()
      }),
  })
}
