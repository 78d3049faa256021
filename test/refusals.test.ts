import { describe, expect, test, vi } from 'vitest'
import { settle } from './settle.js'
import {
  byHand,
  byScript,
  DAY,
  fakeClocks,
  HOUR,
  MINUTE,
  pass,
  peakPerMinute,
  SECOND,
  stubPage,
  token,
  watch,
} from './world.js'

fakeClocks()

describe('a refusal names the token', () => {
  test('the current one is replaced with refresh=true, and the broker function learns which', async () => {
    const { source, requests } = byScript((n) => token(n))
    await source.getToken()
    expect(await source.getToken({ rejected: 'wyu_1' })).toBe('wyu_2')
    expect(requests.map(({ refresh, rejected }) => ({ refresh, rejected }))).toEqual([
      { refresh: false, rejected: undefined },
      { refresh: true, rejected: 'wyu_1' },
    ])
  })

  test('an earlier one costs no request: the current one is handed out', async () => {
    const { source, requests } = byScript((n) => token(n))
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    expect(await source.getToken({ rejected: 'wyu_1' })).toBe('wyu_2')
    expect(await source.getToken({ rejected: 'wyu_unknown' })).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })

  test('20 refusals of one token cost one request', async () => {
    const { source, requests, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    const calls = Array.from({ length: 20 }, () => watch(source.getToken({ rejected: 'wyu_1' })))
    request(2).answer('wyu_2')
    await settle()
    const late = watch(source.getToken({ rejected: 'wyu_1' }))
    await settle()
    expect([...calls, late].every(({ outcome }) => outcome === 'wyu_2')).toBe(true)
    expect(requests).toHaveLength(2)
  })

  test('it is never accepted again, also when a flight for another reason brings it', async () => {
    const { source, requests, request } = byHand()
    const call = watch(source.getToken())
    const forced = watch(source.getToken({ rejected: 'wyu_1' }))
    request(1).answer('wyu_1')
    await settle()
    expect([call.outcome, forced.outcome]).toEqual(['pending', 'pending'])
    expect(requests).toHaveLength(2)
    expect(request(2).refresh).toBe(true)
    request(2).answer('wyu_2')
    await settle()
    expect([call.outcome, forced.outcome]).toEqual(['wyu_2', 'wyu_2'])
  })

  test('a flight for another reason may answer with another token', async () => {
    const { source, requests, request } = byHand({ timeoutMs: HOUR })
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await pass(58 * SECOND)
    expect(requests).toHaveLength(2)
    const forced = watch(source.getToken({ rejected: 'wyu_1' }))
    request(2).answer('wyu_2')
    await settle()
    expect(forced.outcome).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })

  test('the refresh timer and a refusal in one tick cost one request', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { source, requests, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await settle()
    const forced: ReturnType<typeof watch>[] = []
    setTimeout(() => forced.push(watch(source.getToken({ rejected: 'wyu_1' }))), 54 * SECOND)
    await pass(54 * SECOND)
    expect(forced).toHaveLength(1)
    expect(requests).toHaveLength(2)
    request(2).answer('wyu_2')
    await settle()
    expect(forced[0]?.outcome).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })

  test('a broker that goes back to a refused token is told its name, and asked once more', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const { source, states, requests } = byScript((n) => (n === 3 ? token(1) : token(n, 60)))
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    await pass(57.5 * SECOND)
    expect(states.map(({ status }) => status)).not.toContain('stale')
    expect(requests.at(-1)).toMatchObject({ refresh: true, rejected: 'wyu_1' })
    expect(await source.getToken()).toBe('wyu_4')
  })
})

describe('memory of refusals', () => {
  test('a refused token never comes back, also after 900 later refusals', async () => {
    let again = false
    const { source } = byScript((n) => token(again ? 1 : n))
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    for (let i = 0; i < 900; i++) watch(source.getToken({ rejected: `wyu_other_${i}` }))
    again = true
    const seen = watch(source.getToken({ rejected: 'wyu_2' }))
    await pass(MINUTE)
    expect(seen.outcome).toBe('rejected')
  })

  test.each([
    ['clear()', (source: ReturnType<typeof byScript>['source']) => source.clear()],
    ['setUser()', (source: ReturnType<typeof byScript>['source']) => source.setUser('b')],
  ])('a consumer is not given back what it just refused, across %s', async (_, change) => {
    const { source, requests } = byScript((n) => token(n < 3 ? 1 : n), { user: 'a' })
    const factory = source.createTokenFactory()
    await factory()
    change(source)
    expect(await factory(true)).toBe('wyu_3')
    expect(requests.map(({ refresh }) => refresh)).toEqual([false, false, true])
  })

  test('a token that served for five seconds was revoked, and is replaced at once, each time', async () => {
    const { source } = byScript((n) => ({ access_token: `wyu_${n}` }))
    for (let i = 1; i <= 20; i++) {
      expect(await source.getToken()).toBe(`wyu_${i}`)
      await pass(5 * SECOND)
      const seen = watch(source.getToken({ rejected: `wyu_${i}` }))
      await settle()
      expect(seen.outcome).toBe(`wyu_${i + 1}`)
    }
  })
})

describe('a factory per consumer', () => {
  test('true reports the token that this consumer was handed', async () => {
    const { source, requests } = byScript((n) => token(n))
    const [one, other] = [source.createTokenFactory(), source.createTokenFactory()]
    expect(await one(false)).toBe('wyu_1')
    expect(await other(false)).toBe('wyu_1')
    expect(await one(true)).toBe('wyu_2')
    expect(await other(true)).toBe('wyu_2')
    expect(requests).toHaveLength(2)
    const second = watch(other(true))
    await pass(SECOND)
    expect(second.outcome).toBe('wyu_3')
  })

  test('two consumers that refuse the same token at once cost one request', async () => {
    const { source, requests } = byScript((n) => token(n))
    const factories = [source.createTokenFactory(), source.createTokenFactory()]
    await Promise.all(factories.map((factory) => factory()))
    expect(await Promise.all(factories.map((factory) => factory(true)))).toEqual(['wyu_2', 'wyu_2'])
    expect(requests).toHaveLength(2)
  })

  test('a consumer that was never handed a token and asks with true gets the current one', async () => {
    const { source, requests } = byScript((n) => token(n))
    await source.getToken()
    expect(await source.createTokenFactory()(true)).toBe('wyu_1')
    expect(requests).toHaveLength(1)
  })

  test('whoever says nothing refuses nothing', async () => {
    const { source, requests } = byScript((n) => token(n))
    const factory = source.createTokenFactory()
    expect([await factory(), await factory()]).toEqual(['wyu_1', 'wyu_1'])
    expect(requests).toHaveLength(1)
  })

  test('what an earlier user was handed is not reported for the next one', async () => {
    const { source, requests } = byScript((n) => token(n), { user: 'a' })
    const factory = source.createTokenFactory()
    await factory(false)
    source.setUser('b')
    expect(await factory(true)).toBe('wyu_2')
    expect(requests[1]).toMatchObject({ refresh: false, rejected: undefined })
  })
})

/** What the UIKit does: it uses a token, is refused, and asks for another, every `every` ms. */
async function useAndRefuse(
  source: ReturnType<typeof byScript>['source'],
  isDead: (token: string) => boolean,
  ms: number,
  every = SECOND,
) {
  const outcomes: { at: number; outcome: string }[] = []
  let held: string | undefined
  for (let at = 0; at < ms; at += every) {
    const rejected = held !== undefined && isDead(held) ? held : undefined
    source.getToken(rejected ? { rejected } : undefined).then(
      (token) => {
        held = token
        outcomes.push({ at, outcome: token })
      },
      (error) => outcomes.push({ at, outcome: error.code }),
    )
    await pass(every)
  }
  return outcomes
}

describe('loop breaker', () => {
  const loops: [string, (n: number) => unknown, string[]][] = [
    ['the same token for ever', () => token(1), ['rejected']],
    ['a fresh token each time, refused at once', (n) => token(n), ['rejected']],
    ['a token that has expired on arrival', (n) => token(n, 0), ['bad_response']],
    ['a negative life', (n) => token(n, -5), ['bad_response']],
  ]

  test.each(loops)(
    '%s: typed error within two minutes, never more than 30 requests a minute',
    async (_, answer, codes) => {
      const { source, requests } = byScript(answer)
      const outcomes = await useAndRefuse(source, () => true, 30 * MINUTE)
      const told = outcomes.find(({ outcome }) => codes.includes(outcome))
      expect(told?.at).toBeLessThan(2 * MINUTE)
      expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(30)
    },
  )

  test.each(loops.slice(0, 2))(
    '%s: seven requests in the first 15 s, then a cooling-down that grows',
    async (_, answer) => {
      const { source, requests } = byScript(answer)
      await useAndRefuse(source, () => true, 15 * SECOND)
      expect(requests.length).toBeLessThanOrEqual(7)
      await useAndRefuse(source, () => true, 30 * MINUTE)
      const gaps = requests.slice(1).map(({ at }, i) => at - (requests[i]?.at ?? 0))
      const cooling = gaps.filter((gap) => gap > 10 * SECOND)
      expect(cooling.slice(1, 5).every((gap, i) => gap > 1.5 * (cooling[i] as number))).toBe(true)
      expect(Math.max(...gaps)).toBeGreaterThan(3 * MINUTE)
      expect(Math.max(...gaps)).toBeLessThan(5 * MINUTE)
    },
  )

  test('the message says what to check, and holds no token', async () => {
    const { source } = byScript(() => token(1))
    await useAndRefuse(source, () => true, MINUTE)
    const state = source.getState()
    expect(state).toMatchObject({ status: 'failed', error: { code: 'rejected' } })
    const { message } = (state as { error: Error }).error
    expect(message).toMatch(/environment/)
    expect(message).toMatch(/refresh=true/)
    expect(message).not.toContain('wyu_')
  })

  test.each([
    ['the same token', () => 1],
    ['fresh tokens, refused at once', (n: number) => n],
  ])('%s: recovers within five minutes after the world is sane again', async (_, which) => {
    let sane = false
    const { source } = byScript((n) => token(sane ? 1000 + n : which(n)))
    await useAndRefuse(source, () => true, HOUR)
    sane = true
    const outcomes = await useAndRefuse(source, (value) => value.length < 'wyu_1000'.length, 5 * MINUTE)
    expect(outcomes.at(-1)?.outcome).toMatch(/^wyu_1\d\d\d$/)
    expect(source.getState().status).toBe('ready')
  })

  test('clear() starts afresh at once', async () => {
    let sane = false
    const { source } = byScript((n) => token(sane ? n : 0))
    await useAndRefuse(source, () => true, 10 * MINUTE)
    sane = true
    source.clear()
    expect(await source.getToken()).toMatch(/^wyu_\d+$/)
  })

  test('neither callers nor a page that becomes visible shorten the cooling-down', async () => {
    const page = stubPage()
    const { source, requests } = byScript(() => token(1))
    await useAndRefuse(source, () => true, 15 * SECOND)
    const before = requests.length
    for (let i = 0; i < 100; i++) {
      watch(source.getToken())
      page.hide()
      page.show()
      await settle()
    }
    expect(requests).toHaveLength(before)
  })

  test('tokens that live a millisecond never make a storm', async () => {
    const { source, requests } = byScript((n) => token(n, 0.001))
    await useAndRefuse(source, () => true, 10 * MINUTE)
    expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(30)
  })

  test('a user whose tokens rotate healthily carries no strikes from long ago', async () => {
    const { source, requests } = byScript((n) => token(n, 3600))
    // Refused at once twice a day, for a month: never a reason to give up or to wait.
    await source.getToken()
    for (let half = 0; half < 60; half++) {
      for (let i = 0; i < 2; i++) {
        const current = await source.getToken()
        const seen = watch(source.getToken({ rejected: current }))
        await pass(2 * SECOND)
        expect(seen.outcome).toMatch(/^wyu_/)
      }
      await pass(DAY / 2)
    }
    expect(source.getState().status).toBe('ready')
    expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(4)
  })

  test('a token of unknown life that is revoked now and then is replaced at once each time', async () => {
    const { source } = byScript((n) => ({ access_token: `wyu_${n}` }))
    for (let i = 1; i <= 20; i++) {
      expect(await source.getToken()).toBe(`wyu_${i}`)
      await pass(MINUTE)
      const seen = watch(source.getToken({ rejected: `wyu_${i}` }))
      await settle()
      expect(seen.outcome).toBe(`wyu_${i + 1}`)
    }
  })

  test('two fresh tokens refused at once are replaced at once, a third after a second, which no wake-up shortens', async () => {
    const page = stubPage()
    const { source, requests } = byScript((n) => token(n))
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    expect(await source.getToken({ rejected: 'wyu_2' })).toBe('wyu_3')
    const seen = watch(source.getToken({ rejected: 'wyu_3' }))
    page.show()
    page.goOnline()
    await pass(0.8 * SECOND)
    expect(requests).toHaveLength(3)
    await pass(0.2 * SECOND)
    expect(seen.outcome).toBe('wyu_4')
  })

  test('a token that is revoked right after it was issued is replaced at once', async () => {
    const { source } = byScript((n) => token(n))
    await source.getToken()
    const seen = watch(source.getToken({ rejected: 'wyu_1' }))
    await settle()
    expect(seen.outcome).toBe('wyu_2')
  })
})
