import { createAlarm } from './alarm.js'
import { ask } from './ask.js'
import { brokerOf } from './broker-request.js'
import { msSince, readClock } from './clock.js'
import { createDigests } from './digests.js'
import { type SourceInternals, withInternals, withSession } from './internals.js'
import { callOut, createListeners } from './listeners.js'
import type { Effect, Event, Sending } from './machine/events.js'
import { accepts, beginMachine, describe, isSameState, nextAlarm } from './machine/machine.js'
import { step } from './machine/step.js'
import { beginSession, expectLasting, type OwnSession } from './session.js'
import { settingsOf } from './settings.js'
import { factoryFor } from './token-factory.js'
import type { GetTokenOptions, RefusedEvent, TokenSource, TokenSourceOptions, TokenState } from './types.js'
import { createWaiters } from './waiters.js'
import { onWake } from './wake.js'

type Ask = NonNullable<Parameters<SourceInternals['getToken']>[0]>

/**
 * Creates a source of Weavy access tokens.
 *
 * The token lives in memory only. At most one request to the broker is in the air, at most 30 are sent in any 60 s, and
 * nothing is fetched before the first `getToken`.
 *
 * @throws {TypeError} for an option out of its bounds, or both or neither of `tokenUrl` and `fetchToken`
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * ```ts
 * import { createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token', user: session.userId })
 * const token = await source.getToken()
 * ```
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const settings = settingsOf(options)
  const askBroker = brokerOf(options)

  let machine = beginMachine(settings, options.user, options.sub)
  let session = beginSession(options.user, (token) => accepts(machine, token))
  const ended: OwnSession[] = []
  let state: TokenState = Object.freeze(describe(machine, readClock()))
  let told = state
  let flight: AbortController | undefined
  let stopWake: (() => void) | undefined
  const waiters = createWaiters()
  const listeners = createListeners()
  const digests = createDigests()
  const alarm = createAlarm(() => dispatch({ type: 'ring' }))

  const getState = (): TokenState => {
    const next = describe(machine, readClock())
    if (!isSameState(state, next)) state = Object.freeze(next)
    return state
  }

  const publish = () => {
    if (getState() === told) return
    told = state
    listeners.tell(state)
  }

  const send = ({ flight: id, held, request: asked }: Sending) => {
    // A listener may have switched the user since.
    if (machine.flight?.id !== id) return
    const request = withSession(
      { ...asked, held: digests.of(held), refused: digests.of(asked.rejected) },
      session,
    )
    // Before it is asked: fetchToken may switch the user, too.
    flight = new AbortController()
    ask(askBroker, request, flight, settings.timeoutMs).then(
      (answer) => dispatch({ type: 'landed', flight: id, answer }),
      (error) => dispatch({ type: 'failed', flight: id, error }),
    )
  }

  const run = (effect: Effect) => {
    switch (effect.type) {
      case 'hand':
        return waiters.hand(effect.id, effect.token)
      case 'reject':
        return waiters.reject(effect.id, effect.error)
      case 'begin':
        session.over = effect.error
        ended.push(session)
        if (!machine.isClosed) session = session.next = beginSession(machine.user, session.accepts)
        return
      case 'abort':
        return flight?.abort()
      case 'send':
        return send(effect)
      case 'report':
        return callOut(options.onRequest, effect.event)
      case 'end':
        for (const { controller, over } of ended.splice(0)) controller.abort(over)
    }
  }

  /** The one way in. The next machine stands before anything is done about it, because what is done may come back here. */
  function dispatch(event: Event) {
    const [next, effects] = step(machine, event, { ...readClock(), random: Math.random() })
    machine = next
    for (const effect of effects) run(effect)
    digests.note(machine.received)
    alarm.set(nextAlarm(machine, readClock()), waiters.areThere())
    // Whoever asks may be rendering, when React lets nobody be told.
    if (event.type === 'ask') queueMicrotask(publish)
    else publish()
  }

  const obtain = async ({
    rejected,
    minValidityMs = 0,
    hurry,
    orSame,
    signal,
  }: Ask = {}): Promise<string> => {
    const mine = session
    const since = readClock()
    if (!machine.isClosed) stopWake ??= onWake((kind) => dispatch({ type: 'wake', wake: kind }))
    const begin = (id: number) => dispatch({ type: 'ask', id, since, rejected, minValidityMs, hurry, orSame })
    const leave = (id: number) => dispatch({ type: 'leave', id })
    for (;;) {
      if (signal?.aborted) throw signal.reason
      const token = await waiters.wait(signal, begin, leave)
      // A listener that heard of it may have switched the user, or refused it.
      expectLasting(mine)
      if (orSame || !machine.refused.has(token)) return token
    }
  }

  // Not async, so that nothing comes between the last look at the session and the caller.
  const getToken = (request?: GetTokenOptions): Promise<string> => {
    const { token } = machine
    if (!request && token && msSince(token.asked, readClock()) < token.freshMs)
      return Promise.resolve(token.value)
    const answer = obtain(request)
    // Last, because the app may do anything in it.
    if (request?.rejected) tellRefused({ status: 401, from: 'app' })
    return answer
  }

  const tellRefused = (event: RefusedEvent) => callOut(options.onRefused, event)

  const createTokenFactory = () => factoryFor({ getToken: obtain, tellRefused })

  const close = () => {
    stopWake?.()
    dispatch({ type: 'close' })
  }

  const reopen = () => {
    if (!machine.isClosed) return
    stopWake = undefined
    session = beginSession(machine.user, session.accepts)
    dispatch({ type: 'reopen' })
  }

  const source: TokenSource = {
    getToken,
    tokenFactory: createTokenFactory(),
    createTokenFactory,
    getState,
    subscribe: (listener) => (machine.isClosed ? () => {} : listeners.add(listener)),
    setUser: (user, sub) => dispatch({ type: 'switch', user, sub }),
    clear: () => dispatch({ type: 'clear' }),
    close,
    [(Symbol.dispose ?? Symbol.for('Symbol.dispose')) as typeof Symbol.dispose]: close,
  }
  return withInternals(source, {
    session: () => session,
    getToken: obtain,
    tellRefused,
    tellAccepted: (token) => dispatch({ type: 'accepted', token }),
    reopen,
  })
}
