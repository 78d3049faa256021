import { describe, expect, test } from 'vitest'
import { TokenError } from '../../src/index.js'
import { SECOND } from '../world.js'
import { live } from './live.js'

const down = () => new TokenError('unreachable', 'down')

/** With a token, and one that was refused before. */
function used() {
  const source = live()
  source.ask()
  source.land('wyu_1')
  source.ask('wyu_1')
  source.land('wyu_2')
  return source
}

describe('the back/forward cache', () => {
  test('a page that goes there leaves its token and its request behind, and asks for nothing while it is away', () => {
    const source = used()
    source.pass(3590 * SECOND)
    expect(source.look().flight).toBeDefined()
    expect(source.do({ type: 'wake', wake: 'stored' })).toEqual([{ type: 'abort' }])
    expect(source.look()).toMatchObject({
      token: undefined,
      flight: undefined,
      isAway: true,
      isRestored: true,
    })
    expect(source.look().refused).toEqual(new Set(['wyu_1']))
    expect(source.state()).toEqual({ status: 'fetching' })
    expect(source.alarm()).toBe(Number.POSITIVE_INFINITY)
    expect(source.do({ type: 'wake', wake: 'stored' })).toEqual([])
    expect(source.look().isAway).toBe(true)
  })

  test('one with nothing in the air has nothing to give up', () => {
    expect(used().do({ type: 'wake', wake: 'stored' })).toEqual([])
  })

  test('and asks when it is back, unless somebody was quicker', () => {
    const source = used()
    source.do({ type: 'wake', wake: 'stored' })
    expect(source.do({ type: 'wake', wake: 'restored' })).toMatchObject([{ type: 'send' }])
    expect(source.look()).toMatchObject({ isAway: false, flight: { reason: 'restored' } })

    const quick = used()
    quick.do({ type: 'wake', wake: 'stored' })
    expect(quick.ask()).toMatchObject([{ type: 'send' }])
    expect(quick.do({ type: 'wake', wake: 'restored' })).toEqual([])
    expect(quick.look()).toMatchObject({ isAway: false, waiters: [{}] })
  })

  test('whoever waits goes on waiting', () => {
    const source = live()
    source.ask()
    source.do({ type: 'wake', wake: 'stored' })
    expect(source.look().waiters).toHaveLength(1)
  })

  test.each<[string, (source: ReturnType<typeof live>) => void]>([
    ['had a token', (source) => source.land('wyu_1')],
    ['had failed', (source) => source.fail(new TokenError('signed_out', '401', { status: 401 }))],
    ['had a request on its way', () => {}],
  ])('a source that %s asks anew; one that nobody has asked does not', (_, use) => {
    const source = live()
    source.ask()
    use(source)
    source.do({ type: 'wake', wake: 'restored' })
    expect(source.look()).toMatchObject({ isRestored: true, flight: { reason: 'restored' } })
    const fresh = live()
    fresh.do({ type: 'wake', wake: 'restored' })
    expect(fresh.look()).toMatchObject({ isRestored: false, flight: undefined })
  })
})

describe('a page that is visible or online again', () => {
  test('begins the schedule afresh, once in 30 s', () => {
    const source = live()
    source.ask()
    const failAndWake = () => {
      source.fail(down())
      source.do({ type: 'wake', wake: 'visible' })
      return source.look().failures
    }
    expect(failAndWake()).toBe(0)
    source.sleep(30 * SECOND - 1)
    expect(failAndWake()).toBe(1)
    source.sleep(1)
    expect(failAndWake()).toBe(0)
  })

  test('does not wait for the next attempt', () => {
    const source = live()
    source.ask()
    source.fail(down())
    expect(source.pauseMs()).toBe(SECOND)
    expect(source.do({ type: 'wake', wake: 'visible' })).toMatchObject([{ type: 'send' }])
  })

  test('waits for a session that has ended, and tries then', () => {
    const source = live()
    source.ask()
    source.fail(new TokenError('signed_out', '401', { status: 401 }))
    expect(source.do({ type: 'wake', wake: 'visible' })).toEqual([])
    expect(source.alarm()).toBe(30 * SECOND)
  })

  test('with another network gives the request in the air up, while it may send another', () => {
    const source = live()
    source.ask()
    expect(source.do({ type: 'wake', wake: 'visible' })).toEqual([])
    for (let flight = 1; flight <= 7; flight++)
      expect(source.do({ type: 'wake', wake: 'online' })).toMatchObject([
        { type: 'abort' },
        { type: 'send', flight: flight + 1 },
      ])
    expect(source.do({ type: 'wake', wake: 'online' })).toEqual([])
    expect(source.look().flight?.id).toBe(8)
  })

  test('brings nothing where nobody is signed in', () => {
    const source = live({ user: null })
    const before = source.look()
    for (const wake of ['visible', 'online', 'stored', 'restored'] as const)
      expect(source.do({ type: 'wake', wake })).toEqual([])
    expect(source.look()).toEqual(before)
    expect(source.alarm()).toBe(Number.POSITIVE_INFINITY)
  })
})
