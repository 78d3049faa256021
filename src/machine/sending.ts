import { msSince } from '../clock.js'
import { TokenError } from '../errors.js'
import type { RequestEvent } from '../types.js'
import type { Now, Out } from './events.js'
import { type Flight, type Machine, newEpoch, usable } from './machine.js'
import { takeSlot } from './rate-limit.js'
import { subOf, type User } from './subs.js'

/** Gives the request in the air up; its late result is dropped. */
export function abort(machine: Machine, out: Out): Machine {
  if (!machine.flight) return machine
  out.outside.push({ type: 'abort' })
  return { ...machine, flight: undefined }
}

export const superseded = () =>
  new TokenError('superseded', 'The user was switched, or the source cleared. Ask again.')

/** All of one user ends, and another begins. Only the rate limit and what is known of users outlive it. */
export function restart(machine: Machine, user: User, error: TokenError, out: Out): Machine {
  for (const { id } of machine.waiters) out.inside.push({ type: 'reject', id, error })
  out.inside.push({ type: 'begin', error })
  const next = abort(machine, out)
  out.outside.push({ type: 'end' })
  return { ...next, ...newEpoch(user), user }
}

function reasonOf(machine: Machine, now: Now): RequestEvent['reason'] {
  if (machine.failure) return 'retry'
  if (machine.isRestored) return 'restored'
  if (machine.rejected) return 'rejected'
  if (!machine.isKept) return 'first'
  return usable(machine, now) ? 'ahead' : 'expired'
}

export function send(machine: Machine, isSecond: boolean, now: Now, out: Out): Machine {
  const { isKept: refresh, rejected, received, user } = machine
  const id = machine.lastFlight + 1
  const held = refresh && !rejected ? received : undefined
  const request = { user, refresh, rejected, sub: subOf(machine.subs, user) }
  out.outside.push({ type: 'send', flight: id, held, request })
  return {
    ...machine,
    debt: takeSlot(machine.debt, now),
    lastFlight: id,
    flight: { id, sent: now, refresh, reason: reasonOf(machine, now), isSecond },
  }
}

/** The answer was a dead token: asks once more, within the same flight for whoever waits. */
export function sendAgain(machine: Machine, now: Now, out: Out): Machine {
  report(machine, undefined, now, out)
  return send({ ...machine, flight: undefined }, true, now, out)
}

/** Tells how the request in the air ended. */
export function report(machine: Machine, failure: Machine['failure'], now: Now, out: Out): void {
  const flight = machine.flight as Flight
  const { error, retriesUnasked, delayMs } = failure ?? {}
  out.outside.push({
    type: 'report',
    event: {
      reason: flight.reason,
      durationMs: msSince(flight.sent, now),
      ...(error && { error: error.code }),
      ...(error?.status !== undefined && { status: error.status }),
      ...(retriesUnasked && { retryInMs: delayMs as number }),
    },
  })
}
