import { ask } from './ask.js'
import { brokerOf } from './broker-request.js'
import { msSince, readClock } from './clock.js'
import { beginEpoch, QUERY } from './epoch.js'
import { TokenError } from './errors.js'
import {
  consequenceOf,
  createAlarm,
  MAX_STRIKES,
  REFUSED_AT_ONCE_MS,
  retryDelayMs,
  slotFreeAt,
  takeSlot,
} from './schedule.js'
import { CLOSED, createListeners, isSame } from './state.js'
import { isExpired, isLongEnough, parseToken, type Token } from './token.js'
import {
  type GetTokenOptions,
  type RefusedEvent,
  type TokenFactory,
  type TokenSource,
  type TokenSourceOptions,
  type TokenState,
  withInternals,
  withSession,
} from './types.js'
import { onWake } from './wake.js'

const MAX_REFUSED = 50

interface Waiter {
  /** On the monotonic clock. */
  readonly until: number
  /** A valid token whose remaining life is too short for this caller. */
  readonly tooShort: Token | undefined
  resolve(token: string): void
  reject(reason: unknown): void
}

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
  const { refreshAheadMs, timeoutMs = 10_000, maxWaitMs = 15_000 } = options
  checkMs('refreshAheadMs', refreshAheadMs, 0, Number.MAX_VALUE)
  checkMs('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  checkMs('maxWaitMs', maxWaitMs, 0, 2 ** 31 - 1)
  const askBroker = brokerOf(options)

  let user = options.user
  let epoch = beginEpoch(user)
  let paidAt = 0
  let state: TokenState = Object.freeze({ status: 'empty' } as TokenState)
  let told = state
  let stopWake: (() => void) | undefined
  const waiters = new Set<Waiter>()
  const listeners = createListeners()
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

  const publish = () => {
    if (getState() === told) return
    told = state
    listeners.tell(state)
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
      const answer = await ask(
        askBroker,
        withSession({ refresh, rejected, user, held: undefined, refused: undefined, signal }, mine),
        timeoutMs,
      )
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

  const obtain = async (request?: GetTokenOptions): Promise<string> => {
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

  const tellRefused = (event: RefusedEvent) => {
    try {
      options.onRefused?.(event)
    } catch (error) {
      globalThis.reportError?.(error)
    }
  }

  const getToken = (request?: GetTokenOptions): Promise<string> => {
    if (request?.rejected) tellRefused({ status: 401, from: 'app' })
    return obtain(request)
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
    const before = epoch
    before.over = reason
    before.abort()
    epoch = beginEpoch(user)
    before.next = isClosed() ? undefined : epoch
    alarm.set(Number.POSITIVE_INFINITY)
    for (const waiter of waiters) release(waiter).reject(reason)
    beSignedOut()
    publish()
    before.end.abort()
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

  const source = {
    getToken,
    tokenFactory: createTokenFactory(),
    createTokenFactory,
    getState,
    subscribe: (listener) => (isClosed() ? () => {} : listeners.add(listener)),
    setUser(next) {
      if (isClosed() || next === user) return
      user = next
      clear()
    },
    clear,
    close,
    [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: close,
  } as TokenSource
  return withInternals(source, { session: () => epoch, getToken: obtain, tellRefused })
}
