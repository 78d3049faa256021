import type { TokenSourceOptions } from 'weavy-token'
import type { Latest } from './held-source.js'

/** Options whose functions and objects are looked up at each call, so that new ones never need a new source. */
export function lateOptions(options: TokenSourceOptions, latest: Latest): TokenSourceOptions {
  const { fetchToken } = options
  return {
    ...options,
    // A provider that has just changed to tokenUrl has no function left, and its old source may still ask.
    fetchToken: fetchToken && ((request) => (latest.current.fetchToken ?? fetchToken)(request)),
    requestInit: () => {
      const { requestInit = {} } = latest.current
      return typeof requestInit === 'function' ? requestInit() : requestInit
    },
    fetch: (...request) => (latest.current.fetch ?? globalThis.fetch)(...request),
    onRequest: (event) => latest.current.onRequest?.(event),
    onRefused: (event) => latest.current.onRefused?.(event),
  }
}
