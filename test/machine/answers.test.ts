import { expect, test } from 'vitest'
import { TokenError } from '../../src/index.js'
import { beginMachine, pauseMs } from '../../src/machine/machine.js'
import { step } from '../../src/machine/step.js'
import { MAX_STRIKES } from '../../src/schedule.js'
import { MINUTE, SECOND } from '../world.js'

const SETTINGS = { refreshAheadMs: undefined, timeoutMs: 10 * SECOND, maxWaitMs: 15 * SECOND }

/** A source of alice, without what it is driven by. */
function live(sub?: string) {
  let machine = beginMachine(SETTINGS, 'alice', sub)
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
    ask: (rejected?: string) => {
      asked += 1
      return dispatch({ type: 'ask', id: asked, since: now(), rejected, minValidityMs: 0 })
    },
    land: (access_token: string, more: object = {}) =>
      dispatch({ type: 'landed', flight: flight(), answer: { access_token, expires_in: 3600, ...more } }),
    fail: (error: TokenError) => dispatch({ type: 'failed', flight: flight(), error }),
  }
}

test(`${MAX_STRIKES} tokens in a row that are refused at once are replaced, and the next one waits for a cool-down`, () => {
  const source = live()
  source.ask()
  for (let n = 1; n <= MAX_STRIKES; n++) {
    source.land(`wyu_${n}`)
    source.ask(`wyu_${n}`)
    expect(source.look().failure).toBeUndefined()
    source.pass(2 * SECOND)
    expect(source.look().flight).toBeDefined()
  }
  source.land('wyu_last')
  source.ask('wyu_last')
  expect(source.look().failure?.error).toMatchObject({ code: 'rejected' })
  expect(source.pauseMs()).toBe(15 * SECOND)
})

test('a dead token that is given again is a strike, and an outage is none', () => {
  const source = live()
  source.ask()
  source.land('wyu_1')
  source.ask('wyu_1')
  source.land('wyu_1')
  expect(source.look()).toMatchObject({ strikes: 2, failures: 0 })
  source.pass(2 * SECOND)
  source.fail(new TokenError('unreachable', 'down'))
  expect(source.look()).toMatchObject({ strikes: 2, failures: 1 })
})

test('the last 1,000 refused tokens are remembered, and one that is refused again pushes none out', () => {
  const source = live()
  for (let n = 1; n <= 1001; n++) source.ask(`wyu_${n}`)
  const remembered = () => source.look().refused
  expect([remembered().size, remembered().has('wyu_1'), remembered().has('wyu_2')]).toEqual([
    1000,
    false,
    true,
  ])
  source.ask('wyu_500')
  expect([remembered().size, remembered().has('wyu_2')]).toEqual([1000, true])
})

test('a refusal does not shorten the time that the broker asked for', () => {
  const source = live()
  source.ask()
  source.land('wyu_1')
  source.pass(59 * MINUTE + 30 * SECOND)
  source.fail(new TokenError('broker_error', 'down', { status: 503, retryAfterMs: MINUTE }))
  source.ask('wyu_1')
  expect(source.pauseMs()).toBe(MINUTE)
})

test("somebody else's token, and two that had expired, say what happened", () => {
  const hers = live('sub-of-alice')
  hers.ask()
  hers.land('wyu_1', { sub: 'sub-of-bob' })
  expect(hers.look().failure?.error).toMatchObject({
    code: 'other_user',
    message: expect.stringContaining('Reload the page'),
  })
  const late = live()
  late.ask()
  late.land('wyu_1', { expires_in: 0 })
  late.land('wyu_2', { expires_in: 0 })
  expect(late.look().failure?.error).toMatchObject({
    code: 'bad_response',
    message: expect.stringContaining('expired, twice'),
  })
})
