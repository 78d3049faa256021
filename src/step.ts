import { type Instant, msSince } from './clock.js'
import { isTokenError, TokenError } from './errors.js'
import { isAtRest, isDue, type Machine, NO_WAIT, newEpoch, pauseMs, remainingMs, usable } from './machine.js'
import { NO_DEBT, takeSlot } from './rate-limit.js'
import { AFRESH_MS, consequenceOf, MAX_STRIKES, REFUSED_AT_ONCE_MS, strikeDelayMs } from './schedule.js'
import { isSameUser, learn, subOf, type User, unlearn, whose } from './subs.js'
import { isExpired, isLongEnough, parseToken } from './token.js'
import type { RequestEvent } from './types.js'
import type { Wake } from './wake.js'

/** The time of a step on both clocks, and a number from 0 to 1 for all its jitter. */
export interface Now extends Instant {
  readonly random: number
}

/** What happens to a source. */
export type Event =
  | {
      readonly type: 'ask'
      readonly id: number
      readonly since: Instant
      readonly rejected: string | undefined
      readonly minValidityMs: number
      /** A request is wanted now, whatever the token and the schedule say. */
      readonly hurry?: boolean
    }
  | { readonly type: 'leave'; readonly id: number }
  | { readonly type: 'landed'; readonly flight: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly flight: number; readonly error: TokenError }
  | { readonly type: 'wake'; readonly wake: Wake }
  | { readonly type: 'ring' }
  | { readonly type: 'switch'; readonly user: User; readonly sub: string | undefined }
  | { readonly type: 'clear' }
  | { readonly type: 'close' }
  | { readonly type: 'reopen' }

/** What the driver sends. `held` and `rejected` are tokens: what leaves the page are their digests. */
export interface Sending {
  readonly type: 'send'
  readonly flight: number
  readonly user: User
  readonly refresh: boolean
  readonly rejected: string | undefined
  readonly held: string | undefined
  /** What the broker has to say of this user. */
  readonly sub: string | undefined
}

/** What follows from an event, in order. */
export type Effect =
  | { readonly type: 'hand'; readonly id: number; readonly token: string }
  | { readonly type: 'reject'; readonly id: number; readonly error: TokenError }
  /** The session is over, and the next one begins. */
  | { readonly type: 'begin'; readonly error: TokenError }
  // From here on the app is called, which may call back: each of these names what it is about.
  | { readonly type: 'abort'; readonly flight: number }
  | Sending
  | { readonly type: 'report'; readonly event: RequestEvent }
  | { readonly type: 'end' }

/** Effects of one step: those inside this library first, then those that call out to the app. */
interface Out {
  readonly inside: Effect[]
  readonly outside: Effect[]
}

/** No timer is that late in a page that is awake. */
const SLEPT_MS = 2000

const closed = () => new TokenError('closed', 'The token source was closed.')
const superseded = () =>
  new TokenError('superseded', 'The user was switched, or the source cleared. Ask again.')
const refusedAgain = () =>
  new TokenError(
    'rejected',
    'Weavy refuses the tokens of the token broker. Do both use the same environment, and does refresh=true replace a stored token?',
  )

/** One step of a source: what it knows after an event, and what follows. */
export function step(machine: Machine, event: Event, now: Now): readonly [Machine, readonly Effect[]] {
  const out: Out = { inside: [], outside: [] }
  const asked = event.type === 'ask' || (event.type === 'wake' && event.wake !== 'stored')
  const next = lookAtClock(take(machine, event, now, out), asked, now, out)
  return [next, [...out.inside, ...out.outside]]
}

function take(machine: Machine, event: Event, now: Now, out: Out): Machine {
  if (machine.isClosed) {
    if (event.type === 'ask') out.inside.push({ type: 'reject', id: event.id, error: closed() })
    return event.type === 'reopen' ? { ...machine, isClosed: false } : machine
  }
  switch (event.type) {
    case 'ask':
      return ask(machine, event, now, out)
    case 'leave':
      return leave(machine, event.id, now, out)
    case 'landed':
      return machine.flight?.id === event.flight ? land(machine, event.answer, now, out) : machine
    case 'failed':
      return machine.flight?.id === event.flight ? miss(machine, event.error, now, out) : machine
    case 'wake':
      return wake(machine, event.wake, now, out)
    case 'ring':
    case 'reopen':
      return machine
    case 'switch': {
      const { user, subs } = machine
      const known = learn(subs, event.user, event.sub, true)
      if (isSameUser(event.user, user)) return { ...machine, subs: known }
      return { ...restart(machine, event.user, superseded(), out), subs: known }
    }
    case 'clear':
      return {
        ...restart(machine, machine.user, superseded(), out),
        subs: unlearn(machine.subs, machine.user),
      }
    case 'close':
      return { ...restart(machine, machine.user, closed(), out), isClosed: true }
  }
}

function ask(machine: Machine, event: Event & { type: 'ask' }, now: Now, out: Out): Machine {
  const { id, since, rejected, minValidityMs, hurry } = event
  if (machine.user === null) {
    const error = machine.failure?.error as TokenError
    out.inside.push({ type: 'reject', id, error })
    return machine
  }
  const told = rejected ? refuse(machine, rejected, now) : machine
  const next = hurry ? { ...told, wait: NO_WAIT, limit: NO_DEBT } : told
  const token = usable(next, now)
  if (token && !hurry && isLongEnough(token, minValidityMs, now)) {
    out.inside.push({ type: 'hand', id, token: token.value })
    return next
  }
  return { ...next, waiters: [...next.waiters, { id, since, tooShort: token, hasSlept: false }] }
}

function leave(machine: Machine, id: number, now: Now, out: Out): Machine {
  const next = { ...machine, waiters: machine.waiters.filter((waiter) => waiter.id !== id) }
  return isDue(next, now, false) ? next : abort(next, out)
}

/** Gives the request in the air up; its late result is dropped. */
function abort(machine: Machine, out: Out): Machine {
  if (!machine.flight) return machine
  out.outside.push({ type: 'abort', flight: machine.flight.id })
  return { ...machine, flight: undefined }
}

/** All of one user ends, and another begins. Only the rate limit and what is known of users outlive it. */
function restart(machine: Machine, user: User, error: TokenError, out: Out): Machine {
  for (const { id } of machine.waiters) out.inside.push({ type: 'reject', id, error })
  out.inside.push({ type: 'begin', error })
  const next = abort(machine, out)
  out.outside.push({ type: 'end' })
  return { ...next, ...newEpoch(user), user }
}

const MAX_REFUSED = 1000

/** Weavy refused a token. Only a refusal of the current one asks for another. */
function refuse(machine: Machine, value: string, now: Now): Machine {
  if (machine.refused.has(value)) return machine
  const refused = new Set([...machine.refused, value].slice(-MAX_REFUSED))
  const next = { ...machine, refused }
  const { token } = machine
  if (token?.value !== value) return next
  const strikes = msSince(token.asked, now) >= REFUSED_AT_ONCE_MS ? 1 : next.strikes + 1
  const without = { ...next, token: undefined, rejected: value, strikes }
  if (strikes > MAX_STRIKES) return fail(without, refusedAgain(), strikes, now)
  const ms = strikeDelayMs(strikes, now.random)
  return ms > remainingMs(without.wait, now) ? { ...without, wait: { since: now, ms } } : without
}

function land(machine: Machine, answer: unknown, now: Now, out: Out): Machine {
  const { flight, user, subs, refused, rejected } = machine
  if (!flight) return machine
  const token = parseToken(answer, flight, machine.settings.refreshAheadMs, now, now.random)
  if (isTokenError(token)) return miss(machine, token, now, out)
  const { value, sub } = token
  const received = { ...machine, received: value }
  const owner = whose(subs, user, sub)
  if (owner === 'other') return miss(received, otherUser(), now, out)
  if (owner === 'next') {
    const next = restart({ ...received, flight: undefined }, user, superseded(), out)
    return land({ ...next, flight, received: value, subs: learn(subs, user, sub) }, answer, now, out)
  }
  const kept = { ...received, isKept: true, subs: learn(subs, user, sub) }
  if (refused.has(value)) {
    const isNamed = flight.refresh && rejected === value
    if (isNamed || flight.isSecond) return miss({ ...kept, rejected: value }, refusedAgain(), now, out)
    return sendAgain({ ...kept, rejected: value }, now, out)
  }
  if (isExpired(token, now))
    return flight.isSecond ? miss(kept, expiredTwice(), now, out) : sendAgain(kept, now, out)
  report(machine, undefined, now, out)
  return {
    ...kept,
    token,
    flight: undefined,
    failure: undefined,
    failures: 0,
    wait: NO_WAIT,
    strikes: rejected ? machine.strikes : 0,
    rejected: undefined,
    isRestored: false,
    isAway: false,
  }
}

const otherUser = () =>
  new TokenError('other_user', 'Somebody else signed in to the app in this browser. Reload the page.')
const expiredTwice = () =>
  new TokenError('bad_response', 'The token broker gave a token that had already expired, twice.')

/** The request in the air brought no token. */
function miss(machine: Machine, error: TokenError, now: Now, out: Out): Machine {
  const { strikes, failures } = machine
  const isRejected = error.code === 'rejected'
  const counted = isRejected ? { strikes: strikes + 1 } : { failures: failures + 1 }
  const next = fail(
    { ...machine, ...counted, flight: undefined, isRestored: false },
    error,
    1 + (isRejected ? strikes : failures),
    now,
  )
  report(machine, next, now, out)
  return next
}

function fail(machine: Machine, error: TokenError, n: number, now: Now): Machine {
  const { delayMs, ...consequence } = consequenceOf(error, n, now.random)
  return { ...machine, failure: { ...consequence, error }, wait: { since: now, ms: delayMs } }
}

function wake(machine: Machine, kind: Wake, now: Now, out: Out): Machine {
  const { user, flight, failure, wokeAt, waiters } = machine
  if (user === null) return machine
  if (kind === 'stored' || kind === 'restored') {
    // A listener that hears of it first may have asked already.
    if (machine.isAway) return { ...machine, isAway: kind === 'stored' }
    const isUsed = machine.isKept || flight || failure || waiters.length
    return isUsed
      ? {
          ...abort(machine, out),
          ...newEpoch(user),
          waiters,
          refused: machine.refused,
          isRestored: true,
          isAway: kind === 'stored',
        }
      : machine
  }
  const isAfresh = !wokeAt || msSince(wokeAt, now) >= AFRESH_MS
  const woken: Machine = {
    ...machine,
    ...(isAfresh && { failures: 0, wokeAt: now }),
    // An event within the time that a failure takes to cool down is kept until it is over.
    ...(failure && { failure: { ...failure, retriesUnasked: true } }),
    ...(failure && !failure.ignoresWake && { wait: NO_WAIT }),
  }
  // The network has changed under it. Without a free slot it is better than nothing.
  return kind === 'online' && pauseMs(woken, now) <= 0 ? abort(woken, out) : woken
}

/** Does what is due by now. After every event, so that nothing depends on a timer. */
function lookAtClock(machine: Machine, asked: boolean, now: Now, out: Out): Machine {
  if (isAtRest(machine)) return machine
  const { timeoutMs } = machine.settings
  let next = machine
  if (next.flight && msSince(next.flight.sent, now) > timeoutMs + SLEPT_MS) {
    const late = new TokenError('timeout', `The token broker did not answer within ${timeoutMs} ms.`)
    next = miss(abort(next, out), late, now, out)
  }
  next = handOut(wakeSleepers(next, now), now, out)
  if (!next.flight && isDue(next, now, asked) && pauseMs(next, now) <= 0) next = send(next, false, now, out)
  return next.waiters.length ? letGo(next, now, out) : next
}

/** Who slept through the time to wait has it once more. */
function wakeSleepers(machine: Machine, now: Now): Machine {
  const { maxWaitMs } = machine.settings
  const isSleeper = ({ since, hasSlept }: Machine['waiters'][number]) =>
    !hasSlept && msSince(since, now) > maxWaitMs + SLEPT_MS
  if (!maxWaitMs || !machine.waiters.some(isSleeper)) return machine
  const waiters = machine.waiters.map((waiter) =>
    isSleeper(waiter) ? { ...waiter, since: now, hasSlept: true } : waiter,
  )
  return { ...machine, waiters }
}

/** Hands a token to everybody who waits for one like it. */
function handOut(machine: Machine, now: Now, out: Out): Machine {
  const token = usable(machine, now)
  if (!token || !machine.waiters.length) return machine
  const waiters = machine.waiters.filter(({ id, tooShort }) => {
    if (token === tooShort) return true
    out.inside.push({ type: 'hand', id, token: token.value })
    return false
  })
  return { ...machine, waiters }
}

/** Lets everybody go who has nothing to wait for. */
function letGo(machine: Machine, now: Now, out: Out): Machine {
  const { flight, failure, settings } = machine
  const { maxWaitMs } = settings
  const token = usable(machine, now)
  const waiters = machine.waiters.filter(({ id, since }) => {
    if (flight ? maxWaitMs === 0 || msSince(since, now) < maxWaitMs : isHeld(machine, since, now)) return true
    out.inside.push(
      !flight && token
        ? { type: 'hand', id, token: token.value }
        : {
            type: 'reject',
            id,
            error: failure?.error ?? new TokenError('timeout', `No token within ${maxWaitMs} ms.`),
          },
    )
    return false
  })
  return { ...machine, waiters }
}

/** Whether a caller waits for the next request, while none is in the air. */
function isHeld(machine: Machine, since: Instant, now: Now): boolean {
  const { failure, settings } = machine
  if (usable(machine, now)) return false
  return (failure?.holdsCallers ?? true) && msSince(since, now) < settings.maxWaitMs
}

function reasonOf(machine: Machine, now: Now): RequestEvent['reason'] {
  if (machine.failure) return 'retry'
  if (machine.isRestored) return 'restored'
  if (machine.rejected) return 'rejected'
  if (!machine.isKept) return 'first'
  return usable(machine, now) ? 'ahead' : 'expired'
}

function send(machine: Machine, isSecond: boolean, now: Now, out: Out): Machine {
  const { isKept: refresh, rejected, received, user, lastFlight } = machine
  const id = lastFlight + 1
  const held = refresh && !rejected ? received : undefined
  const sub = subOf(machine.subs, user)
  out.outside.push({ type: 'send', flight: id, user, refresh, rejected, held, sub })
  const { wall, mono } = now
  const sent = { wall, mono }
  return {
    ...machine,
    limit: takeSlot(machine.limit, sent),
    lastFlight: id,
    flight: { id, sent, refresh, reason: reasonOf(machine, now), isSecond },
  }
}

/** The answer was a dead token: asks once more, within the same flight for whoever waits. */
function sendAgain(machine: Machine, now: Now, out: Out): Machine {
  report(machine, undefined, now, out)
  return send({ ...machine, flight: undefined }, true, now, out)
}

function report(before: Machine, after: Machine | undefined, now: Now, out: Out): void {
  const { flight } = before
  if (!flight) return
  const { error, retriesUnasked } = after?.failure ?? {}
  out.outside.push({
    type: 'report',
    event: {
      reason: flight.reason,
      durationMs: msSince(flight.sent, now),
      ...(error && { error: error.code }),
      ...(error?.status !== undefined && { status: error.status }),
      ...(after && retriesUnasked && { retryInMs: after.wait.ms }),
    },
  })
}
