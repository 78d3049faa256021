export { type AuthorizedFetchOptions, createAuthorizedFetch } from './authorized-fetch.js'
export { isTokenError, TokenError, type TokenErrorCode, type TokenErrorOptions } from './errors.js'
export { createTokenSource } from './token-source.js'
export type {
  FetchToken,
  GetTokenOptions,
  RefusedEvent,
  RequestEvent,
  RequestInitOption,
  TokenFactory,
  TokenRequest,
  TokenSource,
  TokenSourceOptions,
  TokenState,
} from './types.js'
export { connectWeavy, type WeavyLike } from './uikit.js'
export type { TokenResponse } from './wire.js'
