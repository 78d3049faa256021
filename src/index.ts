export { type AuthorizedFetchOptions, createAuthorizedFetch } from './authorized-fetch.js'
export type { FetchToken, RequestInitOption, TokenRequest, TokenResponse } from './broker-request.js'
export { TokenError, type TokenErrorCode, type TokenErrorOptions } from './errors.js'
export { createTokenSource } from './token-source.js'
export type {
  GetTokenOptions,
  TokenFactory,
  TokenSource,
  TokenSourceOptions,
  TokenState,
} from './types.js'
export { connectWeavy, type WeavyLike } from './uikit.js'
