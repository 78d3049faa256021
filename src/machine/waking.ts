import { msSince, NO_WAIT } from '../clock.js'
import { AFRESH_MS } from '../schedule.js'
import type { Wake } from '../wake.js'
import type { Now, Out } from './events.js'
import { type Machine, newEpoch, pauseMs } from './machine.js'
import { abort } from './sending.js'

/** The page or the network is back, or the page was in the back/forward cache. */
export function wake(machine: Machine, kind: Wake, now: Now, out: Out): Machine {
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
