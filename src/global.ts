import * as api from 'weavy-token'

declare global {
  /** Everything that `weavy-token` exports, for pages without a bundler. */
  var WeavyToken: typeof api
}

globalThis.WeavyToken = api
