import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ANY, type Ask } from '../../src/broker/decide.js'
import { LEASE_MS } from '../../src/broker/token-records.js'
import { LEASE_POLL_MS } from '../../src/broker/user-tokens.js'
import { digestOf } from './ask.js'
import { ENVIRONMENT, type Rules, type Scenario, search, type World } from './search.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  vi.advanceTimersByTime(1)
})
afterEach(() => vi.useRealTimers())

const UID = 'u256'
const refusing = (token: string): Ask => ({ wants: 'healed', refused: digestOf(token) })
const holding = (token: string): Ask => ({ wants: 'other', held: digestOf(token) })

/** A token that both processes know, then what is to happen in every order. */
function afterAFirstToken(act: (world: World, first: string) => void, check: Scenario['check']): Scenario {
  return {
    start: (world) =>
      world.begin(async () => {
        const first = await world.get('a', ANY)
        await world.get('b', ANY)
        act(world, first)
      }),
    check,
  }
}

/** What pages of both processes get in the end. */
async function inTheEnd(world: World) {
  return [await world.get('a', ANY), await world.get('b', ANY)]
}

const withLease: Rules = { hasLease: true }
const withEarlyPolls: Rules = { hasLease: true, earlyPolls: 1 }
const withoutLease: Rules = { hasLease: false }

function noLeaseWasWaitedFor(world: World) {
  expect(world.polls * LEASE_POLL_MS).toBeLessThan(LEASE_MS / 10)
}

describe('two processes, every order of their operations on one store', () => {
  test('asked for a first token: one call to Weavy with a lease, two without', async () => {
    const scenario: Scenario = {
      start(world) {
        for (const process of ['a', 'b']) world.begin(async () => void (await world.get(process, ANY)))
      },
      async check(world) {
        const [a, b] = await inTheEnd(world)
        expect(a).toBe(b)
        noLeaseWasWaitedFor(world)
      },
    }
    const most = (calls: number): Scenario => ({
      ...scenario,
      async check(world) {
        await scenario.check(world)
        expect(world.calls.length).toBeLessThanOrEqual(calls)
      },
    })
    expect(await search(most(1), withEarlyPolls)).toBeGreaterThan(100)
    expect(await search(most(2), withoutLease)).toBeGreaterThan(50)
  }, 60_000)

  test('a rotation ahead of expiry: one more call', async () => {
    const scenario = afterAFirstToken(
      (world, first) => {
        for (const process of ['a', 'b']) {
          world.begin(async () => expect(await world.get(process, holding(first))).toBe('wyu_2'))
        }
      },
      async (world) => {
        expect(await inTheEnd(world)).toEqual(['wyu_2', 'wyu_2'])
        expect(world.calls).toHaveLength(2)
        noLeaseWasWaitedFor(world)
      },
    )
    expect(await search(scenario, withLease)).toBeGreaterThan(100)
  }, 60_000)

  test('all tokens revoked, one page holds an older one: nobody gets a dead token, and none of them twice', async () => {
    const refusals = (leased: boolean): Scenario =>
      afterAFirstToken(
        (world, first) => {
          world.begin(async () =>
            expect([first, 'wyu_0']).not.toContain(await world.get('a', refusing(first))),
          )
          world.begin(async () =>
            expect([first, 'wyu_0']).not.toContain(await world.get('b', refusing('wyu_0'))),
          )
        },
        async (world) => {
          for (const token of await inTheEnd(world)) expect(token).not.toBe('wyu_1')
          // A page that still refuses the first one gets what replaced it, without a call.
          const calls = world.calls.length
          expect(await world.get('b', refusing('wyu_1'))).not.toBe('wyu_1')
          if (leased) {
            expect(world.calls).toHaveLength(calls)
            expect(calls).toBeLessThanOrEqual(3)
            noLeaseWasWaitedFor(world)
          }
        },
      )
    expect(await search(refusals(true), withLease)).toBeGreaterThan(100)
    expect(await search(refusals(false), withoutLease)).toBeGreaterThan(50)
  }, 60_000)

  test('a heal right after another waits for nobody: two refusals follow each other while the other process refuses, too', async () => {
    const scenario = afterAFirstToken(
      (world, first) => {
        world.begin(async () => {
          const second = await world.get('a', refusing(first))
          const third = await world.get('a', refusing(second))
          expect([first, second]).not.toContain(third)
        })
        world.begin(async () => expect(await world.get('b', refusing(first))).not.toBe(first))
      },
      async (world) => {
        expect(await inTheEnd(world)).toEqual(['wyu_3', 'wyu_3'])
        expect(world.calls).toHaveLength(3)
        noLeaseWasWaitedFor(world)
      },
    )
    expect(await search(scenario, { hasLease: true })).toBeGreaterThan(100)
  }, 60_000)

  test.each([
    ['a first token', ANY],
    ['a replacement', refusing('wyu_1')],
  ])(
    'forget() in one while the other asks for %s: nothing that was asked for before it comes back',
    async (_, ask) => {
      let forgottenAt = 0
      const act = (world: World) => {
        world.begin(async () => void (await world.get('a', ask)))
        world.begin(async () => {
          forgottenAt = world.now()
          expect(await world.process('b').forget(ENVIRONMENT, UID)).toBe(true)
        })
      }
      const check = async (world: World) => {
        for (const token of await inTheEnd(world)) {
          expect(world.calledAt(token)).toBeGreaterThanOrEqual(forgottenAt)
        }
        noLeaseWasWaitedFor(world)
      }
      const scenario = ask === ANY ? { start: act, check } : afterAFirstToken(act, check)
      expect(await search(scenario, withLease)).toBeGreaterThan(100)
      expect(await search(scenario, withoutLease)).toBeGreaterThan(50)
    },
    60_000,
  )

  test('a write that failed and lands later: a page that is given the refused token heals with its next request', async () => {
    const scenario = afterAFirstToken(
      (world, first) => {
        world.begin(async () => {
          const second = await world.get('a', refusing(first))
          await world.get('a', refusing(second))
        })
        world.begin(async () => void (await world.get('b', ANY)))
      },
      async (world) => {
        for (const process of ['a', 'b']) {
          const given = await world.get(process, ANY)
          const calls = world.calls.length
          const healed = await world.get(process, refusing(given))
          expect(healed).not.toBe(given)
          expect(world.calls.length - calls).toBeLessThanOrEqual(1)
          expect(await world.get(process, refusing(given))).toBe(healed)
        }
      },
    )
    expect(await search(scenario, { hasLease: false, lateWrites: 1 })).toBeGreaterThan(100)
  }, 60_000)
})
