import { QueryCache, type QueryClient } from '@tanstack/query-core'

const QUERY = {
  queryKey: ['token'],
  retry: false,
  networkMode: 'always',
  gcTime: Number.POSITIVE_INFINITY,
  structuralSharing: false,
} as const

/** A request under way. */
export interface FlightHandle<T> {
  readonly result: Promise<T>
  /** Aborts its signal. The result does not settle any more, or rejects. */
  abort(): void
}

/** Runs one request in a query of its own, which carries its abort signal and is dropped with it. */
export function takeOff<T>(request: (signal: AbortSignal) => Promise<T>): FlightHandle<T> {
  const cache = new QueryCache()
  // All that a Query asks of its client. A real one costs 2 kB and would have nothing else to do.
  const client = {
    getQueryCache: () => cache,
    getQueryDefaults: () => ({}),
    defaultQueryOptions: ((options: object) => options) as QueryClient['defaultQueryOptions'],
  } satisfies Pick<QueryClient, 'getQueryCache' | 'getQueryDefaults' | 'defaultQueryOptions'>
  const query = cache.build<{ value: T }>(client as unknown as QueryClient, QUERY)
  // Wrapped, because a query takes undefined for a mistake of its author.
  const queryFn = async ({ signal }: { signal: AbortSignal }) => ({ value: await request(signal) })
  return {
    result: query.fetch({ ...QUERY, queryFn }).then(({ value }) => value),
    abort: () => void query.cancel({ silent: true }),
  }
}
