import { describe, expect, test } from 'vitest'
import { TokenError } from '../../src/index.js'
import { isSameState } from '../../src/machine/machine.js'
import { MAX_STRIKES } from '../../src/schedule.js'
import { MINUTE, SECOND } from '../world.js'
import { live } from './live.js'

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

describe('a refused token that the broker gives in its own place', () => {
  const insisting = (more = {}) => {
    const source = live()
    source.ask()
    source.land('wyu_1', more)
    source.ask('wyu_1', true)
    source.ask('wyu_1')
    return { source, effects: source.land('wyu_1', more) }
  }
  const tokens = (effects: readonly { type: string }[]) => effects.filter(({ type }) => type === 'hand')

  test('is for the caller alone that tries it', () => {
    const { source, effects } = insisting()
    expect(tokens(effects)).toEqual([{ type: 'hand', id: 2, token: 'wyu_1' }])
    expect(tokens(source.ask('wyu_1', true))).toEqual([{ type: 'hand', id: 4, token: 'wyu_1' }])
    expect(tokens(source.ask(undefined, true))).toEqual([])
  })

  test('lives when Weavy accepts it, and everybody has it', () => {
    const { source } = insisting()
    expect(tokens(source.do({ type: 'accepted', token: 'wyu_1' }))).toEqual([
      { type: 'hand', id: 3, token: 'wyu_1' },
    ])
    expect(source.state()).toMatchObject({ status: 'ready', token: 'wyu_1' })
    expect(source.look()).toMatchObject({ strikes: 0, rejected: undefined, insisted: undefined })
    expect(source.pauseMs()).toBeLessThanOrEqual(0)
    // Its time is that of the last answer, and a refusal counts again.
    source.ask('wyu_1')
    expect(source.state().status).not.toBe('ready')
  })

  test('stays refused when Weavy accepts another one, or when a newer one came', () => {
    const { source } = insisting()
    source.do({ type: 'accepted', token: 'wyu_0' })
    expect(source.look()).toMatchObject({ strikes: 0, token: undefined })
    source.pass(2 * SECOND)
    source.land('wyu_2')
    source.do({ type: 'accepted', token: 'wyu_1' })
    expect(source.state()).toMatchObject({ token: 'wyu_2' })
    expect(source.look().refused.has('wyu_1')).toBe(true)
  })

  test('ends with its user, also when the app learns only now whose it is', () => {
    const { source } = insisting({ sub: 'sub-of-bob' })
    source.do({ type: 'switch', user: 'alice', sub: 'sub-of-alice' })
    expect(tokens(source.ask('wyu_1', true))).toEqual([])
    source.do({ type: 'accepted', token: 'wyu_1' })
    expect(source.look().token).toBeUndefined()
  })
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
  const hers = live({ sub: 'sub-of-alice' })
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

test('what follows from an event is all that follows', () => {
  const source = live()
  expect(source.ask()).toEqual([
    {
      type: 'send',
      flight: 1,
      held: undefined,
      request: { user: 'alice', refresh: false, rejected: undefined, sub: undefined },
    },
  ])
  expect(source.land('wyu_1')).toEqual([
    { type: 'hand', id: 1, token: 'wyu_1' },
    { type: 'report', event: { reason: 'first', durationMs: 0 } },
  ])
  source.do({ type: 'close' })
  expect(source.do({ type: 'wake', wake: 'visible' })).toEqual([])
})

test('a source that is open is not opened again', () => {
  const source = live()
  source.ask()
  source.land('wyu_1')
  const before = source.look()
  source.do({ type: 'reopen' })
  expect(source.look()).toEqual(before)
})

test('a request is told as fetching, also when nobody waits for it any more', () => {
  const source = live()
  source.ask()
  source.sleep(9 * SECOND)
  source.ask()
  source.leave(1)
  expect(source.state()).toEqual({ status: 'fetching' })
  source.leave(2)
  expect(source.state()).toEqual({ status: 'empty' })
})

test('a caller who leaves takes the request along, when the source would not have sent it unasked', () => {
  const source = live()
  source.ask()
  source.fail(new TokenError('offline', 'offline'))
  source.pass(5 * SECOND)
  source.ask()
  expect(source.look().flight).toBeDefined()
  expect(source.leave(2)).toEqual([{ type: 'abort' }])
  expect(source.look().flight).toBeUndefined()
})

describe('a page that was asleep', () => {
  test.each([
    [17 * SECOND, 0],
    [17 * SECOND + 1, 1],
  ])(
    'after %i ms a caller has its time once more, or not: it had 15 s, and timers are 2 s late at most',
    (time, waiting) => {
      const source = live()
      source.ask()
      source.sleep(time)
      source.do({ type: 'ring' })
      expect(source.look().waiters).toHaveLength(waiting)
    },
  )

  test('a caller who slept has its time once more, once', () => {
    const source = live()
    source.ask()
    source.sleep(60 * MINUTE)
    source.do({ type: 'ring' })
    expect(source.look().waiters).toHaveLength(1)
    source.sleep(60 * MINUTE)
    source.do({ type: 'ring' })
    expect(source.look().waiters).toHaveLength(0)
  })

  test.each([
    [12 * SECOND, 1],
    [12 * SECOND + 1, undefined],
  ])('after %i ms a request is given up, or not: it had 10 s', (time, flight) => {
    const source = live()
    source.ask()
    source.sleep(time)
    source.do({ type: 'ring' })
    expect(source.look().flight?.id).toBe(flight)
  })
})

test('while a token is good, a session that has ended is looked at again when somebody asks, and not before', () => {
  const source = live()
  source.ask()
  source.land('wyu_1')
  source.pass(59 * MINUTE + 1)
  source.fail(new TokenError('signed_out', '401', { status: 401 }))
  source.pass(31 * SECOND)
  expect(source.look().flight).toBeUndefined()
  source.ask()
  expect(source.look()).toMatchObject({ waiters: [], flight: { reason: 'retry' } })
})

test('the clock is looked at when the token nears its end, whenever that is reckoned', () => {
  const source = live()
  source.ask()
  source.land('wyu_1')
  const ahead = source.alarm()
  source.pass(10 * MINUTE)
  expect(source.alarm()).toBe(ahead - 10 * MINUTE)
})

test('nobody is signed in, and says so; after close() nothing is said', () => {
  const source = live({ user: null })
  expect(source.state()).toMatchObject({
    status: 'signed-out',
    error: { code: 'signed_out', message: 'Nobody is signed in.' },
  })
  expect(source.alarm()).toBe(Number.POSITIVE_INFINITY)
  source.do({ type: 'close' })
  expect(source.state()).toEqual({ status: 'empty' })
  expect(source.ask()).toMatchObject([
    { type: 'reject', error: { code: 'closed', message: 'The token source was closed.' } },
  ])
})

test('whoever waited is told why: a switch, or time', () => {
  const source = live()
  source.ask()
  expect(source.do({ type: 'clear' })[0]).toMatchObject({
    error: { code: 'superseded', message: expect.stringContaining('Ask again.') },
  })
  const slow = live({ timeoutMs: MINUTE })
  slow.ask()
  slow.sleep(15 * SECOND)
  expect(slow.do({ type: 'ring' })).toMatchObject([
    { type: 'reject', error: { code: 'timeout', message: 'No token within 15000 ms.' } },
  ])
})

test('a state is another when status, token, expiry, or the error as one reads it, is another', () => {
  const error = new TokenError('unreachable', 'down')
  const state = { status: 'stale', token: 'wyu_1', expiresAt: 5, error } as const
  expect(isSameState(state, { ...state, error: new TokenError('unreachable', 'down') })).toBe(true)
  for (const other of [
    { status: 'ready' as const },
    { token: 'wyu_2' },
    { expiresAt: 6 },
    { error: new TokenError('timeout', 'down') },
    { error: new TokenError('unreachable', 'down again') },
    { error: undefined },
  ])
    expect(isSameState(state, { ...state, ...other } as typeof state)).toBe(false)
})
