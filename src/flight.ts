import { Query, type QueryCache, type QueryClient } from '@tanstack/query-core'

/** What a query asks of its cache and of its client. The real ones cost 3 kB and would have nothing else to do. */
const cache = { config: {}, notify() {}, remove() {} } satisfies Pick<
  QueryCache,
  'config' | 'notify' | 'remove'
>
const client = { getQueryCache: () => cache as unknown as QueryCache } satisfies Pick<
  QueryClient,
  'getQueryCache'
>

const queryKey = ['token']

/** A request under way. */
export interface FlightHandle<T> {
  readonly result: Promise<T>
  /** Aborts its signal. The result does not settle any more, or rejects. */
  abort(): void
}

/** Runs one request in a query of its own, which carries its abort signal and is dropped with it. */
export function takeOff<T>(request: (signal: AbortSignal) => Promise<T>): FlightHandle<T> {
  const query = new Query<{ value: T }>({
    client: client as unknown as QueryClient,
    queryKey,
    queryHash: 'token',
    options: {
      queryKey,
      retry: false,
      networkMode: 'always',
      gcTime: Number.POSITIVE_INFINITY,
      structuralSharing: false,
      // Wrapped, because a query takes undefined for a mistake of its author.
      queryFn: async ({ signal }) => ({ value: await request(signal) }),
    },
  })
  return {
    result: query.fetch().then(({ value }) => value),
    abort: () => void query.cancel({ silent: true }),
  }
}
