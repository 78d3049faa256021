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
  SECOND,
  stubPage,
  token,
  unavailable,
  watch,
} from './world.js'

fakeClocks()

/** Moves one clock alone: timers do not fire, as in a machine that sleeps. */
const jumpWall = (ms: number) => vi.setSystemTime(Date.now() + ms)
const jumpMono = (ms: number) => {
  const real = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => real() + ms)
}
const jumpBoth = (ms: number) => {
  jumpWall(ms)
  jumpMono(ms)
}

const withToken = async (lifetime = 3600) => {
  const world = byScript((n) => token(n, lifetime))
  await world.source.getToken()
  return world
}

describe('sleep', () => {
  test.each([
    ['the monotonic clock stood still', jumpWall],
    ['the wall clock was set back meanwhile', jumpMono],
    ['both clocks went on', jumpBoth],
  ])('wake-up after two hours, %s: the first call gets a new token', async (_, jump) => {
    const { source, requests } = await withToken()
    jump(2 * HOUR)
    expect(source.getState().status).toBe('fetching')
    expect(await source.getToken()).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })

  test('a page that becomes visible refreshes at once, before anybody asks', async () => {
    const page = stubPage()
    const { source } = await withToken()
    jumpBoth(2 * HOUR)
    page.show()
    await settle()
    expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_2' })
  })

  test('becoming visible with a fresh token costs nothing and tells nobody', async () => {
    const page = stubPage()
    const { requests, states } = await withToken()
    for (let i = 0; i < 20; i++) {
      page.hide()
      page.show()
      page.goOnline()
      await settle()
    }
    expect(requests).toHaveLength(1)
    expect(states).toHaveLength(2)
  })
})

describe('a request that was suspended', () => {
  test.each([
    ['the wall clock alone', jumpWall],
    ['the monotonic clock alone', jumpMono],
    ['both clocks', jumpBoth],
  ])('for three hours (%s saw them): its dead token is dropped and another asked for', async (_, jump) => {
    const { source, requests, request } = byHand()
    const seen = watch(source.getToken())
    jump(3 * HOUR)
    request(1).answer('wyu_1', 3600)
    await settle()
    expect(seen.outcome).toBe('pending')
    expect(requests).toHaveLength(2)
    expect(request(2).refresh).toBe(true)
    request(2).answer('wyu_2', 3600)
    await settle()
    expect(seen.outcome).toBe('wyu_2')
  })

  test('a life counts from the request, not from the answer', async () => {
    const { source, request } = byHand()
    const asked = Date.now()
    watch(source.getToken())
    await pass(9 * SECOND)
    request(1).answer('wyu_1', 3600)
    await settle()
    expect(source.getState()).toMatchObject({ expiresAt: asked + HOUR })
  })
})

describe('a wall clock that is set', () => {
  test('back by an hour does not lengthen a life', async () => {
    const { source, requests } = await withToken()
    jumpWall(-HOUR)
    await pass(HOUR - 20 * SECOND)
    expect(requests).toHaveLength(2)
    expect(await source.getToken()).toBe('wyu_2')
  })

  test('back by a year, and tokens rotate once per lifetime all the same', async () => {
    const { requests, source } = await withToken()
    jumpWall(-365 * DAY)
    await pass(DAY)
    expect(source.getState().status).toBe('ready')
    expect(requests.length).toBeGreaterThanOrEqual(24)
    expect(requests.length).toBeLessThanOrEqual(27)
  })

  test('forward by a day costs one refresh, no loop', async () => {
    const { source, requests } = await withToken()
    jumpWall(DAY)
    await source.getToken()
    for (let i = 0; i < 30; i++) {
      await pass(MINUTE)
      await source.getToken()
    }
    expect(requests).toHaveLength(2)
  })

  test('wrong by hours from the start changes nothing: lives are relative', async () => {
    jumpWall(-7 * HOUR)
    const { source, requests } = await withToken()
    await pass(55 * MINUTE)
    await source.getToken()
    expect(requests).toHaveLength(1)
    await pass(5 * MINUTE)
    await source.getToken()
    expect(requests).toHaveLength(2)
  })
})

describe('expires_in', () => {
  test.each(['3600', ' 3600 ', 3600.5])('%j counts as seconds', async (expiresIn) => {
    const { source } = byScript(() => ({ access_token: 'wyu_1', expires_in: expiresIn }))
    await source.getToken()
    const state = source.getState() as { expiresAt: number }
    expect(Math.round((state.expiresAt - Date.now()) / SECOND)).toBeCloseTo(3600, -1)
  })

  test.each([
    undefined,
    null,
    '',
    ' ',
    'soon',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    'Infinity',
    {},
    [],
    true,
  ])('%j is an unknown life: used until it is refused', async (expiresIn) => {
    const { source, requests } = byScript((n) => ({ access_token: `wyu_${n}`, expires_in: expiresIn }))
    await source.getToken()
    await pass(30 * DAY)
    expect(await source.getToken()).toBe('wyu_1')
    expect(await source.getToken({ rejected: 'wyu_1' })).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })

  test.each([0, -1, '0', -1e300])(
    '%j has expired on arrival: asked once more, then bad_response',
    async (expiresIn) => {
      const { source, requests } = byScript((n) => ({ access_token: `wyu_${n}`, expires_in: expiresIn }))
      const seen = watch(source.getToken())
      await settle()
      expect(seen.outcome).toBe('bad_response')
      expect(requests.map(({ refresh }) => refresh)).toEqual([false, true])
    },
  )

  test.each([1e11, 1e20, 1.7e308, '1e30'])('%j is clamped to a date that exists', async (expiresIn) => {
    const { source } = byScript(() => ({ access_token: 'wyu_1', expires_in: expiresIn }))
    await source.getToken()
    const { expiresAt } = source.getState() as { expiresAt: number }
    expect(new Date(expiresAt).toString()).not.toBe('Invalid Date')
  })
})

describe('waits are over when either clock says so', () => {
  test('a Retry-After of an hour, after eight hours of sleep that the monotonic clock did not see', async () => {
    const page = stubPage()
    const { source, requests } = byScript((n) => {
      if (n === 1) throw unavailable(HOUR)
      return token(n)
    })
    watch(source.getToken())
    await settle()
    jumpWall(8 * HOUR)
    page.goOnline()
    page.show()
    await settle()
    expect(requests).toHaveLength(2)
    expect(source.getState().status).toBe('ready')
  })

  test('a request that hung over a sleep of an hour that no timer counted: a token within 3 s of waking', async () => {
    const page = stubPage()
    const onRequest = vi.fn()
    const { source, requests, request } = byHand({ onRequest })
    const seen = watch(source.getToken())
    jumpWall(HOUR)
    page.show()
    expect(request(1).signal.aborted).toBe(true)
    expect(onRequest).toHaveBeenCalledWith(expect.objectContaining({ error: 'timeout', durationMs: HOUR }))
    await pass(1.1 * SECOND)
    request(requests.length).answer('wyu_2')
    await settle()
    expect(requests.length).toBeGreaterThan(1)
    expect(seen.outcome).toBe('wyu_2')
  })

  test('a caller that slept through its time waits once more, and not for ever', async () => {
    const { source } = byHand({ maxWaitMs: 2 * SECOND, timeoutMs: HOUR })
    const seen = watch(source.getToken())
    jumpWall(HOUR / 2)
    watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('pending')
    await pass(2 * SECOND)
    expect(seen.outcome).toBe('timeout')
  })

  test('a monotonic clock that starts again at 0 does not stop the source', async () => {
    await pass(3 * HOUR)
    const { source, requests } = byScript((n) => {
      if (n < 12) throw unavailable()
      return token(n)
    })
    for (let i = 0; i < 30; i++) watch(source.getToken())
    await pass(10 * SECOND)
    const zero = performance.now.bind(performance)
    const now = zero()
    vi.spyOn(performance, 'now').mockImplementation(() => zero() - now)
    const before = requests.length
    await pass(2 * MINUTE)
    expect(requests.length).toBeGreaterThan(before)
    expect(source.getState().status).toBe('ready')
  })

  test.each([
    ['Date.now()', () => vi.spyOn(Date, 'now')],
    ['performance.now()', () => vi.spyOn(performance, 'now')],
  ])('a %s that answers undefined makes no timer without pause, and no token without end', async (_, spy) => {
    spy().mockImplementation((() => undefined) as never)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { source, requests } = byScript((n) => {
      if (n === 1) throw unavailable()
      return token(n, 60)
    })
    const seen = watch(source.getToken())
    await pass(2 * SECOND)
    expect(seen.outcome).toBe('wyu_2')
    await pass(5 * MINUTE)
    expect(requests.length).toBeGreaterThan(4)
    expect(requests.length).toBeLessThan(10)
    expect(timers.mock.calls.length).toBeLessThan(100)
    expect(source.getState().status).toBe('ready')
  })
})

describe('the lead suits the broker', () => {
  test.each([
    [20, 3],
    [8, 1.5],
  ])('a life of %d s, a broker that turns slow by %d s: no call waits a second', async (life, slowS) => {
    for (const random of [0, 0.5, 0.999]) {
      vi.spyOn(Math, 'random').mockReturnValue(random)
      let slow = false
      const { source } = byScript(async (n) => {
        if (slow) await new Promise((resolve) => setTimeout(resolve, slowS * SECOND))
        return token(n, life)
      })
      await source.getToken()
      slow = true
      for (let n = 0; n < 70; n++) {
        await pass((life * SECOND) / 20)
        const seen = watch(source.getToken())
        await pass(0.99 * SECOND)
        expect(seen.outcome).toMatch(/^wyu_/)
      }
      source.close()
      // What the scripted broker still has to say.
      await pass(slowS * SECOND)
    }
  })
})
