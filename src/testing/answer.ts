import { TokenError, type TokenErrorCode } from 'weavy-token'

/** A token as a scripted broker gives it. */
export interface TokenAnswer {
  /** @default `wyu_test_1`, `wyu_test_2`, …: each request that brings a new token gets another one */
  readonly token?: string | undefined
  /**
   * Seconds that the token lives; `null`: the broker does not say.
   * @default 3600
   */
  readonly expiresIn?: number | null | undefined
  /**
   * The broker's name of the user.
   * @default none, as with a broker that does not know it
   */
  readonly sub?: string | undefined
}

/** What a scripted broker answers: a token, a failure, or with `pending` nothing before the next `answer()`. */
export type Answer = TokenAnswer | TokenErrorCode | TokenError | 'pending'

/** The statuses of our broker for what a page tells by these codes. */
const STATUS = { signed_out: 401, rate_limited: 429, broker_error: 503 } as const

export const isFailure = (
  answer: TokenAnswer | TokenErrorCode | TokenError,
): answer is TokenErrorCode | TokenError => typeof answer === 'string' || answer instanceof Error

export const errorOf = (failure: TokenErrorCode | TokenError): TokenError =>
  typeof failure === 'string'
    ? new TokenError(failure, `The test answers ${failure}.`, {
        status: failure in STATUS ? STATUS[failure as keyof typeof STATUS] : undefined,
      })
    : failure

/** Tokens that no secret scanner or reader takes for real ones, each another one. */
export const createTestTokens = () => {
  let issued = 0
  return () => `wyu_test_${++issued}`
}
