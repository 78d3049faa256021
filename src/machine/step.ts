import { msSince } from '../clock.js'
import { TokenError } from '../errors.js'
import { noAnswer } from '../request-failure.js'
import { accept, land, miss } from './answers.js'
import { ask, handOut, leave, letGo, SLEPT_MS, wakeSleepers } from './callers.js'
import type { Effect, Event, Now, Out } from './events.js'
import { isAtRest, isDue, type Machine, pauseMs } from './machine.js'
import { abort, restart, send, superseded } from './sending.js'
import { isSameUser, learn, unlearn, whose } from './subs.js'
import { wake } from './waking.js'

const closed = () => new TokenError('closed', 'The token source was closed.')

/** One step of a source: what it knows after an event, and what follows. */
export function step(machine: Machine, event: Event, now: Now): readonly [Machine, readonly Effect[]] {
  const out: Out = { inside: [], outside: [] }
  const next = lookAtClock(take(machine, event, now, out), event.type === 'ask', now, out)
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
    case 'accepted':
      return accept(machine, event.token)
    case 'ring':
    case 'reopen':
      return machine
    case 'switch': {
      const { user, insisted, token = insisted } = machine
      const subs = learn(machine.subs, event.user, event.sub, true)
      // The app may learn only now that the token is somebody else's.
      const isSame = isSameUser(event.user, user) && whose(subs, user, token?.sub) === 'ours'
      return { ...(isSame ? machine : restart(machine, event.user, superseded(), out)), subs }
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

/** Does what is due by now. After every event, so that nothing depends on a timer. */
function lookAtClock(machine: Machine, asked: boolean, now: Now, out: Out): Machine {
  if (isAtRest(machine)) return letGo(machine, now, out)
  const { timeoutMs } = machine.settings
  let next = machine
  if (next.flight && msSince(next.flight.sent, now) > timeoutMs + SLEPT_MS) {
    abort(next, out)
    next = miss(next, noAnswer(timeoutMs), now, out)
  }
  next = handOut(wakeSleepers(next, now), now, out)
  if (!next.flight && isDue(next, now, asked) && pauseMs(next, now) <= 0) next = send(next, false, now, out)
  return letGo(next, now, out)
}
