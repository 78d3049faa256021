import { QueryCache, type QueryClient } from '@tanstack/query-core'
import type { TokenError } from './errors.js'
import type { Consequence } from './schedule.js'
import type { Token } from './token.js'
import type { Session } from './types.js'

export const QUERY = {
  queryKey: ['token'],
  retry: false,
  networkMode: 'always',
  gcTime: Number.POSITIVE_INFINITY,
  structuralSharing: false,
} as const

/** Everything that ends with a user, a `clear()` or a `close()`. A late result of an earlier epoch finds no way in. */
export const beginEpoch = (user: string | number | null | undefined) => {
  const cache = new QueryCache()
  // All that a Query asks of its client. A real one costs 2 kB and would have nothing else to do.
  const client = {
    getQueryCache: () => cache,
    getQueryDefaults: () => ({}),
    defaultQueryOptions: (options: unknown) => options,
  } as unknown as QueryClient
  const end = new AbortController()
  return {
    user,
    end,
    signal: end.signal,
    query: cache.build<Token>(client, QUERY),
    abort: () => cache.clear(),
    /** Why it ended. */
    over: undefined as TokenError | undefined,
    /** What followed. */
    next: undefined as Session | undefined,
    /** The request in the air. Only the flight that it names may land. */
    flight: undefined as object | undefined,
    failure: undefined as (Consequence & { readonly error: TokenError }) | undefined,
    failures: 0,
    /** Tokens in a row that were refused at once, or given although they had been refused. */
    strikes: 0,
    refused: new Set<string>(),
    /** The refused token that the next answer is to replace. */
    rejected: undefined as string | undefined,
    /** There has been a token: from now on the source sees to a newer one, and tells the broker to replace its own. */
    refresh: false,
    /** On the monotonic clock: nobody asks the broker before. */
    notBefore: 0,
  }
}
