import type { TokenError } from '../../src/index.js'
import { beginMachine, describe, nextAlarm, pauseMs } from '../../src/machine/machine.js'
import { step } from '../../src/machine/step.js'
import { SECOND } from '../world.js'

/** A source of alice, without what it is driven by. */
export function live({
  sub,
  user = 'alice',
  timeoutMs = 10 * SECOND,
}: {
  sub?: string
  user?: string | null
  timeoutMs?: number
} = {}) {
  let machine = beginMachine({ refreshAheadMs: undefined, maxWaitMs: 15 * SECOND, timeoutMs }, user, sub)
  let ms = 0
  let asked = 0
  const now = () => ({ wall: 5e12 + ms, mono: ms, random: 0 })
  const dispatch = (event: Parameters<typeof step>[1]) => {
    const [next, effects] = step(machine, event, now())
    machine = next
    return effects
  }
  const flight = () => machine.flight?.id ?? Number.NaN
  return {
    look: () => machine,
    pauseMs: () => pauseMs(machine, now()),
    pass(time: number) {
      ms += time
      dispatch({ type: 'ring' })
    },
    ask: (rejected?: string, orSame = false) => {
      asked += 1
      return dispatch({ type: 'ask', id: asked, since: now(), rejected, minValidityMs: 0, orSame })
    },
    leave: (id: number) => dispatch({ type: 'leave', id }),
    do: dispatch,
    /** The time passes, and no timer rings. */
    sleep(time: number) {
      ms += time
    },
    state: () => describe(machine, now()),
    alarm: () => nextAlarm(machine, now()),
    land: (access_token: string, more: object = {}) =>
      dispatch({ type: 'landed', flight: flight(), answer: { access_token, expires_in: 3600, ...more } }),
    fail: (error: TokenError) => dispatch({ type: 'failed', flight: flight(), error }),
  }
}
