import { msSince, NO_WAIT } from '../clock.js'
import { TokenError } from '../errors.js'
import { isLongEnough } from '../token.js'
import { refuse } from './answers.js'
import type { Event, Now, Out } from './events.js'
import { isDue, type Machine, usable } from './machine.js'
import { abort } from './sending.js'

/** No timer is that late in a page that is awake. */
export const SLEPT_MS = 2000

/** Somebody wants a token: has one handed, or waits. */
export function ask(machine: Machine, event: Event & { type: 'ask' }, now: Now, out: Out): Machine {
  const { id, since, rejected, minValidityMs, hurry, orSame } = event
  const told = rejected ? refuse(machine, rejected, now) : machine
  const next = hurry ? { ...told, wait: NO_WAIT, debt: NO_WAIT } : told
  const token = usable(next, now)
  if (token && !hurry && isLongEnough(token, minValidityMs, now)) {
    out.inside.push({ type: 'hand', id, token: token.value })
    return next
  }
  const waiter = { id, since, tooShort: token, hasSlept: false, orSame: orSame ? rejected : undefined }
  return { ...next, waiters: [...next.waiters, waiter] }
}

/** A caller is gone. A request that nobody else needs is given up. */
export function leave(machine: Machine, id: number, now: Now, out: Out): Machine {
  const next = { ...machine, waiters: machine.waiters.filter((waiter) => waiter.id !== id) }
  return isDue(next, now, false) ? next : abort(next, out)
}

/** Who slept through the time to wait has it once more. */
export function wakeSleepers(machine: Machine, now: Now): Machine {
  const { maxWaitMs } = machine.settings
  const waiters = machine.waiters.map((waiter) =>
    !waiter.hasSlept && msSince(waiter.since, now) > maxWaitMs + SLEPT_MS
      ? { ...waiter, since: now, hasSlept: true }
      : waiter,
  )
  return { ...machine, waiters }
}

/** Hands a token to everybody who waits for one like it. */
export function handOut(machine: Machine, now: Now, out: Out): Machine {
  const token = usable(machine, now)
  const { insisted } = machine
  const waiters = machine.waiters.filter(({ id, tooShort, orSame }) => {
    const given = token && token !== tooShort ? token : insisted?.value === orSame ? insisted : undefined
    if (given) out.inside.push({ type: 'hand', id, token: given.value })
    return !given
  })
  return { ...machine, waiters }
}

/** Lets everybody go who has nothing to wait for. */
export function letGo(machine: Machine, now: Now, out: Out): Machine {
  const { flight, failure, settings } = machine
  const { maxWaitMs } = settings
  const token = usable(machine, now)
  const isHeld = flight || (!token && (failure?.holdsCallers ?? true))
  const waiters = machine.waiters.filter(({ id, since }) => {
    // Without a time to wait: for one request, which may have to wait for a free slot.
    if (maxWaitMs ? isHeld && msSince(since, now) < maxWaitMs : flight || (!token && !failure)) return true
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
