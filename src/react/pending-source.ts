import { type GetTokenOptions, TokenError, type TokenFactory, type TokenSource } from 'weavy-token'
import { EMPTY, type HeldSource } from './held-source.js'

interface Arrival {
  readonly promise: Promise<TokenSource>
  resolve(source: TokenSource): void
  reject(error: TokenError): void
}

function expectSource(): Arrival {
  const arrival = {} as { -readonly [Member in keyof Arrival]: Arrival[Member] }
  arrival.promise = new Promise((resolve, reject) => Object.assign(arrival, { resolve, reject }))
  // Nobody may be waiting.
  arrival.promise.catch(() => {})
  return arrival
}

/** Stands in for a source whose `tokenUrl` is not known yet. It fetches nothing; who asks waits for the source to come. */
export function pendingSource(): HeldSource {
  let arrival = expectSource()
  let isMounted = false

  const getToken = async (options?: GetTokenOptions): Promise<string> => {
    const signal = options?.signal
    const source = await new Promise<TokenSource>((resolve, reject) => {
      const leave = () => reject(signal?.reason)
      if (signal?.aborted) leave()
      signal?.addEventListener('abort', leave, { once: true })
      arrival.promise.then(resolve, reject)
    })
    return source.getToken(options)
  }
  const createTokenFactory = (): TokenFactory => {
    let factory: TokenFactory | undefined
    return async (refresh) => {
      factory ??= (await arrival.promise).createTokenFactory()
      return factory(refresh)
    }
  }
  const end = () => {
    arrival.reject(new TokenError('closed', 'The provider was unmounted before its tokenUrl was known.'))
    arrival = expectSource()
  }

  return {
    source: {
      getToken,
      tokenFactory: createTokenFactory(),
      createTokenFactory,
      getState: () => EMPTY,
      subscribe: () => () => {},
      setUser() {},
      clear() {},
      close: end,
      [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: end,
    } as TokenSource,
    latest: { current: {} },
    isMounted: () => false,
    follow() {},
    stateFor: () => EMPTY,
    mount() {
      isMounted = true
      return () => {
        isMounted = false
        queueMicrotask(() => {
          if (!isMounted) end()
        })
      }
    },
    end,
    become: (source) => arrival.resolve(source),
  }
}
