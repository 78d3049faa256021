import { type Instant, msSince } from '../clock.js'
import { TokenError } from '../errors.js'
import { isLongEnough } from '../token.js'
import { refuse } from './answers.js'
import type { Event, Now, Out } from './events.js'
import { isDue, type Machine, NO_WAIT, usable } from './machine.js'
import { NO_DEBT } from './rate-limit.js'
import { abort } from './sending.js'

/** No timer is that late in a page that is awake. */
export const SLEPT_MS = 2000

/** Somebody wants a token: has one handed, or waits. */
export function ask(machine: Machine, event: Event & { type: 'ask' }, now: Now, out: Out): Machine {
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

/** A caller is gone. A request that nobody else needs is given up. */
export function leave(machine: Machine, id: number, now: Now, out: Out): Machine {
  const next = { ...machine, waiters: machine.waiters.filter((waiter) => waiter.id !== id) }
  return isDue(next, now, false) ? next : abort(next, out)
}

/** Who slept through the time to wait has it once more. */
export function wakeSleepers(machine: Machine, now: Now): Machine {
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
export function handOut(machine: Machine, now: Now, out: Out): Machine {
  const token = usable(machine, now)
  if (!token || !machine.waiters.length) return machine
  const waiters = machine.waiters.filter(({ id, tooShort }) => {
    if (token === tooShort) return true
    out.inside.push({ type: 'hand', id, token: token.value })
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

/** Lets everybody go who has nothing to wait for. */
export function letGo(machine: Machine, now: Now, out: Out): Machine {
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
