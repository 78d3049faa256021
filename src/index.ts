export { type AuthorizedFetchOptions, createAuthorizedFetch } from './authorized-fetch.js'
export type { FetchToken, RequestInitOption, TokenRequest, TokenResponse } from './broker-request.js'
export { TokenError, type TokenErrorCode, type TokenErrorOptions } from './errors.js'
export {
  createTokenSource,
  type GetTokenOptions,
  type TokenFactory,
  type TokenSource,
  type TokenSourceOptions,
  type TokenState,
} from './token-source.js'
export { connectWeavy, type WeavyLike } from './uikit.js'
