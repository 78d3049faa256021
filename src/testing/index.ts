export type { Answer, TokenAnswer } from './answer.js'
export {
  createTestTokenSource,
  type TestRequest,
  type TestTokenSource,
  type TestTokenSourceOptions,
} from './test-token-source.js'
export {
  type HandlersAnswer,
  type MswHttp,
  type MswHttpResponse,
  type TokenHandlersOptions,
  tokenHandlers,
} from './token-handlers.js'
