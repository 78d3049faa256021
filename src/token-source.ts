import { QueryCache, type QueryClient } from '@tanstack/query-core'
import { ask, createFetchToken, type FetchToken, type RequestInitOption } from './broker-request.js'
import { msSince, readClock } from './clock.js'
import { TokenError } from './errors.js'
import {
  type Consequence,
  consequenceOf,
  createAlarm,
  MAX_STRIKES,
  REFUSED_AT_ONCE_MS,
  retryDelayMs,
  slotFreeAt,
  takeSlot,
} from './schedule.js'
import { isExpired, isLongEnough, parseToken, type Token } from './token.js'
import { onWake } from './wake.js'

/** Options of {@link createTokenSource}. Exactly one of `tokenUrl` and `fetchToken` is required. */
export interface TokenSourceOptions {
  /** The app's token broker. `https:`, relative to the page, or loopback. Query parameters are kept. */
  tokenUrl?: string | URL | undefined
  /** Brings a token in place of `tokenUrl`. A `TokenError` that it throws is kept as it is. */
  fetchToken?: FetchToken | undefined
  /**
   * The app's own id of the signed-in user, never sent anywhere; `null`: nobody is signed in.
   * @default undefined: whoever the broker says
   */
  user?: string | number | null | undefined
  /** Init of the request to `tokenUrl`, or a function that returns it for each request: headers, CSRF. */
  requestInit?: RequestInitOption | undefined
  /**
   * How long before its expiry a token is refreshed, in milliseconds; 0 or more, never more than half of the life.
   * @default 10 % of the token's life, at most 60,000 ms
   */
  refreshAheadMs?: number | undefined
  /**
   * Longest time that one request to the broker may take, in milliseconds; 1 to 2,147,483,647.
   * @default 10_000
   */
  timeoutMs?: number | undefined
  /**
   * Longest time that a caller without a valid token waits, in milliseconds; 0 to 2,147,483,647. Weavy's UIKit gives
   * up after 20,000 ms.
   * @default 15_000
   */
  maxWaitMs?: number | undefined
  /**
   * Fetches in place of the global `fetch`.
   * @default globalThis.fetch, looked up at each call
   */
  fetch?: typeof globalThis.fetch | undefined
}

/** What a source knows now: one frozen object per change, the same reference while nothing changes. */
export type TokenState =
  /** Nothing asked yet, cleared, or closed. */
  | { readonly status: 'empty' }
  /** No usable token, one on its way. */
  | { readonly status: 'fetching' }
  /** A valid token, also while it is refreshed in the background. `expiresAt` is epoch ms, `null` when unknown. */
  | { readonly status: 'ready'; readonly token: string; readonly expiresAt: number | null }
  /** The refresh fails, the token is still good. */
  | {
      readonly status: 'stale'
      readonly token: string
      readonly expiresAt: number | null
      readonly error: TokenError
    }
  /** No usable token, the last attempt failed. */
  | { readonly status: 'failed'; readonly error: TokenError }
  /** Nobody is signed in. */
  | { readonly status: 'signed-out'; readonly error: TokenError }

/** Options of {@link TokenSource.getToken}. */
export interface GetTokenOptions {
  /** A token that Weavy refused. It is never handed out again. */
  rejected?: string | undefined
  /**
   * A token with less life left is refreshed first, in milliseconds. Best effort: what is then the newest valid token
   * is handed out.
   * @default 0
   */
  minValidityMs?: number | undefined
  /** Rejects this caller alone, with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** `(refresh) => Promise<token>`, as Weavy's UIKit wants it. */
export type TokenFactory = (refresh?: boolean) => Promise<string>

/** A source of access tokens. Every function is a closure and works when destructured. */
export interface TokenSource {
  /**
   * Resolves with a token that is not expired and was not reported as rejected.
   *
   * A valid token is handed out at once, while a newer one is fetched in the background when its time has come.
   * Without one, the caller joins the one request in the air, and waits through an outage for `maxWaitMs` at most.
   *
   * @throws {TokenError} any code; the reason of `signal` when that aborts
   */
  getToken(this: void, options?: GetTokenOptions): Promise<string>
  /** One {@link TokenFactory} for a single consumer. Several consumers want one each: {@link createTokenFactory}. */
  tokenFactory: TokenFactory
  /**
   * Makes a factory that remembers what it handed out: `true` reports exactly that token as rejected, so a consumer
   * that holds an old token costs no request, and none is given the token back that it has just refused.
   */
  createTokenFactory(this: void): TokenFactory
  /** The state now. Expiry is judged by the clock at the call. */
  getState(this: void): TokenState
  /** Calls `listener` with each new state. Returns its undo. What a listener throws goes to `reportError`. */
  subscribe(this: void, listener: (state: TokenState) => void): () => void
  /**
   * Switches the user, synchronously: the old token is gone, the request in the air is aborted, whoever waits is
   * rejected with `superseded`. `null`: nobody is signed in. `undefined`: whoever the broker says. The user it already
   * has: nothing happens.
   */
  setUser(this: void, user: string | number | null | undefined): void
  /** Forgets token, failures and refusals, as `setUser` does, and starts afresh for the same user. */
  clear(this: void): void
  /** Ends the source: no timer, no listener and no request is left, `getToken` rejects with `closed`. */
  close(this: void): void
  /** `close`, for `using`. */
  [Symbol.dispose](): void
}

/** The state of a closed source; told from `empty` by identity. */
export const CLOSED = Object.freeze({ status: 'empty' } as const)

const MAX_REFUSED = 50
const QUERY = {
  queryKey: ['token'],
  retry: false,
  networkMode: 'always',
  gcTime: Number.POSITIVE_INFINITY,
  structuralSharing: false,
} as const

interface Waiter {
  /** On the monotonic clock. */
  readonly until: number
  /** A valid token whose remaining life is too short for this caller. */
  readonly tooShort: Token | undefined
  resolve(token: string): void
  reject(reason: unknown): void
}

/** Everything that ends with a user, a `clear()` or a `close()`. A late result of an earlier epoch finds no way in. */
const beginEpoch = () => {
  const cache = new QueryCache()
  // All that a Query asks of its client. A real one costs 2 kB and would have nothing else to do.
  const client = {
    getQueryCache: () => cache,
    getQueryDefaults: () => ({}),
    defaultQueryOptions: (options: unknown) => options,
  } as unknown as QueryClient
  return {
    query: cache.build<Token>(client, QUERY),
    abort: () => cache.clear(),
    /** Why it ended. */
    over: undefined as TokenError | undefined,
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

/** A change is something that an app would show; one failure like the one before is none. */
const isSame = (
  a: Partial<TokenState & { token: string; expiresAt: number | null; error: TokenError }>,
  b: typeof a,
) =>
  a.status === b.status &&
  a.token === b.token &&
  a.expiresAt === b.expiresAt &&
  a.error?.code === b.error?.code &&
  a.error?.message === b.error?.message

const closedError = () => new TokenError('closed', 'The token source was closed.')

const rejectedError = () =>
  new TokenError(
    'rejected',
    'Weavy refuses the tokens of the token broker. Do both use the same environment, and does refresh=true replace a stored token?',
  )

const checkMs = (option: string, value: number | undefined, min: number, max: number): void => {
  if (value !== undefined && !(value >= min && value <= max))
    throw new TypeError(`${option} must be a number of milliseconds from ${min} to ${max}`)
}

/**
 * Creates a source of Weavy access tokens.
 *
 * The token lives in memory only, in a cache that nobody else can reach. At most one request to the broker is in the
 * air, at most 30 are sent in any 60 s, and nothing is fetched before the first `getToken`.
 *
 * @throws {TypeError} for an option out of its bounds, or both or neither of `tokenUrl` and `fetchToken`
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * ```ts
 * import { createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token' })
 * const token = await source.getToken()
 * ```
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const {
    tokenUrl,
    fetchToken,
    requestInit,
    refreshAheadMs,
    timeoutMs = 10_000,
    maxWaitMs = 15_000,
  } = options
  if ((tokenUrl === undefined) === (fetchToken === undefined))
    throw new TypeError('give either tokenUrl or fetchToken')
  checkMs('refreshAheadMs', refreshAheadMs, 0, Number.MAX_VALUE)
  checkMs('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  checkMs('maxWaitMs', maxWaitMs, 0, 2 ** 31 - 1)
  const askBroker = fetchToken ?? createFetchToken(tokenUrl as string | URL, requestInit, options.fetch)

  let user = options.user
  let epoch = beginEpoch()
  let paidAt = 0
  let state: TokenState = Object.freeze({ status: 'empty' } as TokenState)
  let told = state
  let stopWake: (() => void) | undefined
  const waiters = new Set<Waiter>()
  const listeners = new Set<(state: TokenState) => void>()
  /** States that listeners have not been told yet. */
  const news: TokenState[] = []
  const alarm = createAlarm(() => advance())

  const isClosed = () => state === CLOSED

  const usable = (): Token | undefined => {
    const token = epoch.query.state.data
    return token && !isExpired(token) && !epoch.refused.has(token.value) ? token : undefined
  }

  const describe = (): TokenState => {
    const token = usable()
    const error = epoch.failure?.error
    if (token) {
      const expiresAt =
        token.lifetimeMs < Number.POSITIVE_INFINITY ? token.asked.wall + token.lifetimeMs : null
      const held = { token: token.value, expiresAt }
      return error ? { status: 'stale', ...held, error } : { status: 'ready', ...held }
    }
    if (error) return { status: error.code === 'signed_out' ? 'signed-out' : 'failed', error }
    return { status: epoch.flight || waiters.size || epoch.refresh ? 'fetching' : 'empty' }
  }

  const getState = (): TokenState => {
    if (isClosed()) return state
    const next = describe()
    if (!isSame(state, next)) state = Object.freeze(next)
    return state
  }

  /** Tells every listener every state, in order, whatever they do to the source meanwhile. */
  const publish = () => {
    if (getState() === told) return
    told = state
    if (news.push(state) > 1) return
    for (const next of news)
      for (const listener of [...listeners])
        try {
          if (listeners.has(listener)) listener(next)
        } catch (error) {
          globalThis.reportError?.(error)
        }
    news.length = 0
    if (isClosed()) listeners.clear()
  }

  const fail = (error: TokenError, n: number) => {
    const consequence = consequenceOf(error, n)
    epoch.failure = { ...consequence, error }
    epoch.notBefore = performance.now() + consequence.delayMs
  }

  /** One request, and a second one when the first brought a token that had died on the way. */
  const fetchOnce = async (mine: typeof epoch, signal: AbortSignal): Promise<Token> => {
    for (let again = false; ; again = true) {
      signal.throwIfAborted()
      const { refresh, rejected } = mine
      const asked = readClock()
      paidAt = takeSlot(paidAt, asked.mono)
      const answer = await ask(askBroker, { refresh, rejected, signal }, timeoutMs)
      const token = parseToken(answer, asked, refresh, refreshAheadMs)
      const isRefused = mine.refused.has(token.value)
      mine.refresh = true
      if (!isRefused && !isExpired(token)) return token
      if (isRefused && refresh) throw rejectedError()
      if (again)
        throw new TokenError('bad_response', 'The token broker gave a token that had already expired, twice.')
    }
  }

  const fly = () => {
    const mine = epoch
    const flight = {}
    mine.flight = flight
    const land = (settle: () => void) => {
      if (mine.over || mine.flight !== flight) return
      mine.flight = undefined
      settle()
      advance()
    }
    mine.query.fetch({ ...QUERY, queryFn: ({ signal }) => fetchOnce(mine, signal) }).then(
      () =>
        land(() => {
          if (!mine.rejected) mine.strikes = 0
          mine.rejected = mine.failure = undefined
          mine.failures = mine.notBefore = 0
        }),
      (error) => land(() => fail(error, error.code === 'rejected' ? ++mine.strikes : ++mine.failures)),
    )
  }

  const isDue = (asked: boolean): boolean => {
    if (waiters.size) return true
    if (epoch.failure) return asked || epoch.failure.alone
    const token = usable()
    return token ? msSince(token.asked) >= token.freshMs : epoch.refresh
  }

  const release = (waiter: Waiter): Waiter => {
    waiters.delete(waiter)
    return waiter
  }

  /** Looks at the clock and does whatever is due. Called after each event; `asked` when somebody wants a token now. */
  function advance(asked = false) {
    if (isClosed() || user === null) return
    const mine = epoch
    const now = performance.now()
    const token = usable()
    for (const waiter of waiters) if (token && token !== waiter.tooShort) release(waiter).resolve(token.value)
    const due = isDue(asked)
    const opensAt = Math.max(mine.notBefore, slotFreeAt(paidAt))
    if (due && !mine.flight && now >= opensAt) fly()
    // `fetchToken` may have called anything here.
    if (mine.over) return
    const { flight, failure } = mine
    let next = due && !flight ? opensAt - now : Number.POSITIVE_INFINITY
    for (const waiter of waiters) {
      if (token && !flight) release(waiter).resolve(token.value)
      else if (failure && !failure.waits && !flight) release(waiter).reject(failure.error)
      else if (now >= waiter.until)
        release(waiter).reject(
          failure?.error ?? new TokenError('timeout', `No token within ${maxWaitMs} ms.`),
        )
      else next = Math.min(next, waiter.until - now)
    }
    if (token) {
      const age = msSince(token.asked)
      next = Math.min(next, (age < token.freshMs ? token.freshMs : token.lifetimeMs) - age)
    }
    alarm.set(next)
    publish()
  }

  const wake = () => {
    if (epoch.failure && !epoch.failure.firm) epoch.notBefore = 0
    advance(true)
  }

  const refuse = (value: string) => {
    const { query, refused } = epoch
    if (refused.has(value)) return
    refused.add(value)
    if (refused.size > MAX_REFUSED) refused.delete(refused.values().next().value as string)
    const token = query.state.data
    if (token && token.value !== value) return
    epoch.rejected = value
    epoch.refresh = true
    if (!token) return
    query.setState({ data: undefined })
    if (msSince(token.asked) >= REFUSED_AT_ONCE_MS) epoch.strikes = 0
    const n = epoch.strikes++
    if (n >= MAX_STRIKES) fail(rejectedError(), n + 1)
    else if (n) epoch.notBefore = Math.max(epoch.notBefore, performance.now() + retryDelayMs(n))
  }

  const wait = async (tooShort: Token | undefined, signal: AbortSignal | undefined): Promise<string> => {
    const mine = epoch
    let onAbort = () => {}
    stopWake ??= onWake(wake)
    try {
      return await new Promise<string>((resolve, reject) => {
        const waiter: Waiter = { until: performance.now() + maxWaitMs, tooShort, resolve, reject }
        onAbort = () => {
          release(waiter).reject(signal?.reason)
          if (mine.flight && !isDue(false)) {
            mine.flight = undefined
            void mine.query.cancel({ silent: true })
          }
          advance()
        }
        signal?.addEventListener('abort', onAbort)
        waiters.add(waiter)
        advance(true)
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const getToken = async (request?: GetTokenOptions): Promise<string> => {
    if (!request) {
      const token = epoch.query.state.data
      if (token && msSince(token.asked) < token.freshMs && !epoch.refused.has(token.value)) return token.value
    }
    const { rejected, minValidityMs = 0, signal } = request ?? {}
    signal?.throwIfAborted()
    if (isClosed()) throw closedError()
    if (user === null) throw epoch.failure?.error
    const mine = epoch
    if (rejected) refuse(rejected)
    const token = usable()
    const isEnough = token && isLongEnough(token, minValidityMs)
    if (isEnough) advance(true)
    const value = isEnough ? token.value : await wait(token, signal)
    // A listener that heard of the change may have switched the user.
    if (mine.over) throw mine.over
    return value
  }

  const createTokenFactory = (): TokenFactory => {
    let handed: string | undefined
    let from = epoch
    return async (refresh = false) => {
      const mine = epoch
      // What an earlier user was handed says nothing about this one's token.
      const rejected = refresh && from === mine ? handed : undefined
      const token = await getToken(rejected ? { rejected } : undefined)
      from = mine
      handed = token
      return token
    }
  }

  const beSignedOut = () => {
    if (user === null) fail(new TokenError('signed_out', 'Nobody is signed in.'), 1)
  }

  const restart = (reason: TokenError) => {
    epoch.over = reason
    epoch.abort()
    epoch = beginEpoch()
    alarm.set(Number.POSITIVE_INFINITY)
    for (const waiter of waiters) release(waiter).reject(reason)
    beSignedOut()
    publish()
  }

  const clear = () => {
    if (!isClosed())
      restart(new TokenError('superseded', 'The user was switched, or the source cleared. Ask again.'))
  }

  const close = () => {
    if (isClosed()) return
    state = CLOSED
    stopWake?.()
    restart(closedError())
  }

  beSignedOut()
  told = getState()

  return {
    getToken,
    tokenFactory: createTokenFactory(),
    createTokenFactory,
    getState,
    subscribe(listener) {
      const entry: typeof listener = (next) => listener(next)
      if (!isClosed()) listeners.add(entry)
      return () => {
        listeners.delete(entry)
      }
    },
    setUser(next) {
      if (isClosed() || next === user) return
      user = next
      clear()
    },
    clear,
    close,
    [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: close,
  } as TokenSource
}
