import { createAlarm } from './alarm.js'
import { ask } from './ask.js'
import { brokerOf } from './broker-request.js'
import { readClock } from './clock.js'
import { createDigests } from './digests.js'
import { callOut, createListeners } from './listeners.js'
import type { Effect, Event, Sending } from './machine/events.js'
import { beginMachine, describe, isSameState, nextAlarm } from './machine/machine.js'
import { step } from './machine/step.js'
import { beginSession, type OwnSession } from './session.js'
import { settingsOf } from './settings.js'
import { factoryFor } from './token-factory.js'
import {
  type GetTokenOptions,
  type RefusedEvent,
  type SourceInternals,
  type TokenSource,
  type TokenSourceOptions,
  type TokenState,
  withInternals,
  withSession,
} from './types.js'
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
 * const source = createTokenSource({ tokenUrl: '/api/token' })
 * const token = await source.getToken()
 * ```
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const settings = settingsOf(options)
  const { timeoutMs } = settings
  const askBroker = brokerOf(options)

  let machine = beginMachine(settings, options.user, options.sub)
  let session = beginSession(options.user)
  const ended: OwnSession[] = []
  let state: TokenState = Object.freeze(describe(machine, readClock()))
  let told = state
  let flight: { readonly id: number; readonly abort: AbortController } | undefined
  let stopWake: (() => void) | undefined
  let lastWaiter = 0
  const waiters = new Map<number, { resolve(token: string): void; reject(error: unknown): void }>()
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

  const send = ({ flight: id, user, refresh, rejected, held, sub }: Sending) => {
    // A listener may have switched the user since.
    if (machine.flight?.id !== id) return
    const digested = { held: digests.of(held), refused: digests.of(rejected) }
    const request = withSession({ refresh, rejected, user, sub, ...digested }, session)
    const abort = new AbortController()
    // Before it is asked: fetchToken may switch the user, too.
    flight = { id, abort }
    ask(askBroker, request, abort, timeoutMs).then(
      (answer) => dispatch({ type: 'landed', flight: id, answer }),
      (error) => dispatch({ type: 'failed', flight: id, error }),
    )
  }

  const take = (id: number) => {
    const waiter = waiters.get(id)
    waiters.delete(id)
    return waiter
  }

  const run = (effect: Effect) => {
    switch (effect.type) {
      case 'hand':
        return take(effect.id)?.resolve(effect.token)
      case 'reject':
        return take(effect.id)?.reject(effect.error)
      case 'begin':
        session.over = effect.error
        ended.push(session)
        if (machine.isClosed) return
        session = session.next = beginSession(machine.user)
        return
      case 'abort':
        return flight?.id === effect.flight ? flight.abort.abort() : undefined
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
    if (machine.received !== undefined) digests.note(machine.received)
    alarm.set(nextAlarm(machine, readClock()), waiters.size > 0)
    // Whoever asks may be rendering, when React lets nobody be told.
    if (event.type === 'ask') queueMicrotask(publish)
    else publish()
  }

  const wait = async (
    { rejected, minValidityMs = 0, hurry = false, signal }: Ask,
    since: ReturnType<typeof readClock>,
  ): Promise<string> => {
    const id = ++lastWaiter
    let onAbort = () => {}
    try {
      return await new Promise<string>((resolve, reject) => {
        onAbort = () => {
          take(id)?.reject(signal?.reason)
          dispatch({ type: 'leave', id })
        }
        signal?.addEventListener('abort', onAbort)
        waiters.set(id, { resolve, reject })
        dispatch({ type: 'ask', id, since, rejected, minValidityMs, hurry })
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const obtain = async (request: Ask = {}): Promise<string> => {
    const { signal } = request
    if (signal?.aborted) throw signal.reason
    const mine = session
    const since = readClock()
    if (!machine.isClosed) stopWake ??= onWake((kind) => dispatch({ type: 'wake', wake: kind }))
    for (;;) {
      const token = await wait(request, since)
      // A listener that heard of it may have switched the user, or refused it.
      if (mine.over) throw mine.over
      if (!machine.refused.has(token)) return token
    }
  }

  // Not async, so that nothing comes between the last look at the session and the caller.
  const getToken = (request?: GetTokenOptions): Promise<string> => {
    const { token } = machine
    if (!request && token) {
      const { wall, mono } = token.asked
      if (Math.max(Date.now() - wall, performance.now() - mono) < token.freshMs)
        return Promise.resolve(token.value)
    }
    if (request?.rejected) tellRefused({ status: 401, from: 'app' })
    return obtain(request)
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
    session = beginSession(machine.user)
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
  return withInternals(source, { session: () => session, getToken: obtain, tellRefused, reopen })
}
