import { msSince, NO_WAIT, remainingMs } from '../clock.js'
import { isTokenError, TokenError } from '../errors.js'
import { badResponse } from '../request-failure.js'
import { consequenceOf, MAX_STRIKES, REFUSED_AT_ONCE_MS, strikeDelayMs } from '../schedule.js'
import { isExpired, parseToken } from '../token.js'
import type { Now, Out } from './events.js'
import type { Flight, Machine } from './machine.js'
import { report, restart, sendAgain, superseded } from './sending.js'
import { learn, whose } from './subs.js'

const refusedAgain = () =>
  new TokenError(
    'rejected',
    'Weavy refuses the tokens of the token broker. Do both use the same environment, and does refresh=true replace a stored token?',
  )

const otherUser = () =>
  new TokenError('other_user', 'Somebody else signed in to the app in this browser. Reload the page.')
const expiredTwice = () => badResponse('The token broker gave a token that had already expired, twice.')

function fail(machine: Machine, error: TokenError, n: number, now: Now): Machine {
  const failure = { ...consequenceOf(error, n, now.random), error }
  return { ...machine, failure, wait: { since: now, ms: failure.delayMs } }
}

/** The request in the air brought no token. */
export function miss(machine: Machine, error: TokenError, now: Now, out: Out): Machine {
  const { strikes, failures } = machine
  const isRejected = error.code === 'rejected'
  const counted = isRejected ? { strikes: strikes + 1 } : { failures: failures + 1 }
  const next = fail(
    { ...machine, ...counted, flight: undefined },
    error,
    1 + (isRejected ? strikes : failures),
    now,
  )
  report(machine, next.failure, now, out)
  return next
}

/** The request in the air was answered. */
export function land(machine: Machine, answer: unknown, now: Now, out: Out): Machine {
  const { user, subs, refused, rejected } = machine
  const flight = machine.flight as Flight
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
    if (isNamed || flight.isSecond)
      return miss({ ...kept, rejected: value, insisted: token }, refusedAgain(), now, out)
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
    insisted: undefined,
    isRestored: false,
    isAway: false,
  }
}

/** Weavy accepted a token. It may be one that it has refused: a 403 looks like a 401 to the UIKit. */
export function accept(machine: Machine, value: string): Machine {
  const { insisted } = machine
  const next = { ...machine, strikes: 0 }
  if (insisted?.value !== value) return next
  const refused = new Set(machine.refused)
  refused.delete(value)
  return {
    ...next,
    refused,
    token: insisted,
    insisted: undefined,
    rejected: undefined,
    failure: undefined,
    wait: NO_WAIT,
  }
}

const MAX_REFUSED = 1000

/** Weavy refused a token. Only a refusal of the current one asks for another. */
export function refuse(machine: Machine, value: string, now: Now): Machine {
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
