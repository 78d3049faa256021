import type { TokenError } from './errors.js'
import { expectToken, isResponse, readAnswer } from './read-answer.js'
import { failureOf, noAnswer, unknownFailure } from './request-failure.js'
import type { FetchToken, TokenRequest } from './types.js'

/** A request on its way. */
export interface Asked extends TokenRequest {
  /** Why there is no answer in time, when it is not the broker that is waited for. */
  late?: TokenError | undefined
}

/** What a `fetchToken` brings, read. */
export async function answerOf(fetchToken: FetchToken, asked: Asked): Promise<unknown> {
  let answer: unknown
  try {
    answer = await fetchToken(asked)
  } catch (error) {
    throw failureOf(error)
  }
  return expectToken(isResponse(answer) ? await readAnswer(answer) : answer)
}

/**
 * Bounds one request in time, reads what comes, and turns whatever is thrown into a TokenError. `abort` cuts it short.
 *
 * Nothing is asked of a signal but `aborted` and its event: that of React Native has neither `reason` nor `throwIfAborted`.
 */
export async function ask(
  fetchToken: FetchToken,
  request: Omit<TokenRequest, 'signal'>,
  abort: AbortController,
  timeoutMs: number,
): Promise<unknown> {
  const { signal } = abort
  const asked: Asked = { ...request, signal }
  let timer: ReturnType<typeof setTimeout> | undefined
  // Raced, not only aborted: a function that ignores its signal must not hold the slot.
  const cut = new Promise<never>((_, reject) => {
    let late: TokenError | undefined
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(late)
    })
    timer = setTimeout(() => {
      late = asked.late ?? noAnswer(timeoutMs)
      abort.abort(late)
    }, timeoutMs)
    ;(timer as { unref?: () => void }).unref?.()
  })
  try {
    return await Promise.race([answerOf(fetchToken, asked), cut])
  } catch (error) {
    throw unknownFailure(error)
  } finally {
    clearTimeout(timer)
    // Nobody waits any more, whatever fetchToken still does.
    abort.abort()
  }
}
