import { describe, expect, test, vi } from 'vitest'
import { TokenError } from '../src/index.js'
import { settle } from './settle.js'
import {
  byHand,
  byScript,
  fakeClocks,
  HOUR,
  MINUTE,
  pass,
  peakPerMinute,
  resetByPeer,
  SECOND,
  signedOut,
  stubPage,
  token,
  unavailable,
  watch,
} from './world.js'

fakeClocks()

/** A broker that is down from the first refresh on, for `ms`. */
const downFor = (ms: number, failure: () => unknown, lifetime = 20) => {
  let downAt = Number.POSITIVE_INFINITY
  const world = byScript((n) => {
    if (n === 2) downAt = performance.now()
    if (n >= 2 && performance.now() < downAt + ms) throw failure()
    return token(n, lifetime)
  })
  return { ...world, since: () => performance.now() - downAt }
}

describe('a broker that is down', () => {
  test('503 with Retry-After 2 for 8 s: 5 requests at most, every call that can use the old token succeeds', async () => {
    const { source, requests } = downFor(8 * SECOND, () => unavailable(2 * SECOND), 200)
    await source.getToken()
    // The last 20 s of the life at most.
    await pass(180 * SECOND)
    for (let at = 0; at < 20; at += 0.5) {
      const seen = watch(source.getToken())
      await settle()
      expect(seen.outcome).toMatch(/^wyu_/)
      await pass(SECOND / 2)
    }
    const outage = requests.slice(1)
    const downAt = outage[0]?.at ?? 0
    expect(outage.filter(({ at }) => at < downAt + 8 * SECOND).length).toBeLessThanOrEqual(5)
    expect(outage.every(({ at }, i) => i === 0 || at - (outage[i - 1]?.at ?? 0) >= 2 * SECOND)).toBe(true)
    expect(source.getState().status).toBe('ready')
  })

  test('connection reset for 8 s: 5 requests at most, and the first success within 2.5 s of the end', async () => {
    for (const random of [0, 0.5, 0.999]) {
      vi.spyOn(Math, 'random').mockReturnValue(random)
      const { source, requests } = byScript((n) => {
        if (performance.now() - began < 8 * SECOND) throw resetByPeer()
        return token(n)
      })
      const began = performance.now()
      const calls: ReturnType<typeof watch>[] = []
      for (let at = 0; at < 10.5; at += 0.5) {
        calls.push(watch(source.getToken()))
        await pass(SECOND / 2)
      }
      expect(requests.filter(({ at }) => at < 8 * SECOND).length).toBeLessThanOrEqual(5)
      expect(requests.at(-1)?.at).toBeLessThanOrEqual(10.5 * SECOND)
      expect(new Set(calls.map(({ outcome }) => outcome))).toEqual(new Set([`wyu_${requests.length}`]))
    }
  })

  test('a caller without a token gets the last failure, typed, after maxWaitMs', async () => {
    const { source, states } = byScript(() => {
      throw unavailable()
    })
    const seen = watch(source.getToken())
    await pass(15 * SECOND - 1)
    expect(seen.outcome).toBe('pending')
    await pass(1)
    expect(seen.error).toBeInstanceOf(TokenError)
    expect(seen.error).toMatchObject({ code: 'broker_error', status: 503 })
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'failed'])
  })

  test('serial callers share the schedule: nobody hits the broker outside it', async () => {
    const { source, requests } = byScript(() => {
      throw resetByPeer()
    })
    for (let i = 0; i < 3000; i++) {
      watch(source.getToken())
      await pass(100)
    }
    // Five minutes: 0, 1, 3, 5, 7, 9, 11, 15, 23, 38, 68, then once a minute, each up to a tenth earlier.
    expect(requests.length).toBeLessThanOrEqual(16)
    expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(11)
  })

  test('a valid token is served on, the state is stale once, and ready again after', async () => {
    const { source, states } = downFor(5 * SECOND, resetByPeer, 600)
    await source.getToken()
    await pass(10 * MINUTE - 30 * SECOND)
    await pass(20 * SECOND)
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready', 'stale', 'ready'])
    expect(states[2]).toMatchObject({ token: 'wyu_1', error: { code: 'unreachable' } })
  })

  test('goes on in a hidden tab, and recovers by itself', async () => {
    const page = stubPage()
    const { source } = downFor(3 * MINUTE, resetByPeer, 60)
    await source.getToken()
    page.hide()
    await pass(5 * MINUTE)
    expect(source.getState().status).toBe('ready')
  })

  test.each([408, 425, 500, 502, 503, 504])('status %i is waited out', async (status) => {
    const { source } = byScript((n) => {
      if (n === 1) throw new TokenError('broker_error', 'down', { status })
      return token(n)
    })
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('pending')
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_2')
  })

  test.each([400, 404, 410])('status %i is told at once, and cools down', async (status) => {
    const { source, requests } = byScript(() => {
      throw new TokenError('broker_error', 'wrong', { status })
    })
    for (let i = 0; i < 5; i++) {
      const seen = watch(source.getToken())
      await settle()
      expect(seen.error).toMatchObject({ code: 'broker_error', status })
    }
    expect(requests).toHaveLength(1)
  })

  test('429 is honoured by background and callers alike, for as long as the broker says', async () => {
    const { source, requests } = byScript((n) => {
      if (n === 1) throw new TokenError('rate_limited', 'slow down', { status: 429, retryAfterMs: MINUTE })
      return token(n)
    })
    const seen = watch(source.getToken())
    await pass(MINUTE - 1)
    watch(source.getToken())
    expect(seen.error).toMatchObject({ code: 'rate_limited', retryAfterMs: MINUTE })
    expect(requests).toHaveLength(1)
    await pass(6 * SECOND + 1)
    expect(requests).toHaveLength(2)
    expect(source.getState().status).toBe('ready')
  })

  test.each([Number.NaN, Number.NEGATIVE_INFINITY, -1, 0])(
    'a Retry-After of %d ms is no reason to hurry',
    async (ms) => {
      const { source, requests } = byScript(() => {
        throw unavailable(ms)
      })
      watch(source.getToken())
      await pass(0.8 * SECOND)
      expect(requests).toHaveLength(1)
      await pass(0.2 * SECOND)
      expect(requests).toHaveLength(2)
    },
  )

  test('a Retry-After of a year is believed for an hour', async () => {
    const { source, requests } = byScript((n) => {
      if (n === 1) throw unavailable(Number.POSITIVE_INFINITY)
      return token(n)
    })
    watch(source.getToken())
    await pass(1.1 * HOUR)
    expect(requests).toHaveLength(2)
  })
})

describe('a broker that hangs', () => {
  test('a hung request is cut off after timeoutMs and frees the slot', async () => {
    const { source, requests, request } = byHand()
    const calls = [1, 2, 3].map(() => watch(source.getToken()))
    await pass(10 * SECOND - 1)
    expect(request(1).signal.aborted).toBe(false)
    await pass(1)
    expect(request(1).signal.aborted).toBe(true)
    expect(request(1).signal.reason).toMatchObject({ code: 'timeout' })
    await pass(SECOND)
    expect(requests).toHaveLength(2)
    request(1).answer('wyu_late')
    await settle()
    expect(calls.map(({ outcome }) => outcome)).toEqual(['pending', 'pending', 'pending'])
    request(2).answer('wyu_2')
    await settle()
    expect(calls.map(({ outcome }) => outcome)).toEqual(['wyu_2', 'wyu_2', 'wyu_2'])
  })

  test('every caller settles within maxWaitMs, and the next one tries again', async () => {
    const { source, requests } = byHand({ maxWaitMs: 3 * SECOND, timeoutMs: 2 * SECOND })
    const seen = watch(source.getToken())
    await pass(3 * SECOND)
    expect(seen.outcome).toBe('timeout')
    const before = requests.length
    watch(source.getToken())
    await pass(5 * SECOND)
    expect(requests.length).toBeGreaterThan(before)
  })

  test('a forced refresh has its own deadline, not that of the dead token', async () => {
    const { source, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1', 24 * 3600)
    await settle()
    const forced = watch(source.getToken({ rejected: 'wyu_1' }))
    await pass(15 * SECOND)
    expect(forced.outcome).toBe('timeout')
  })
})

describe('waking up', () => {
  test.each(['goOnline', 'show'] as const)('%s retries at once, without our own back-off', async (event) => {
    const page = stubPage()
    let down = true
    const { source, requests } = byScript((n) => {
      if (down) throw resetByPeer()
      return token(n)
    })
    watch(source.getToken())
    await pass(5 * MINUTE)
    const before = requests.length
    down = false
    page[event]()
    await settle()
    expect(requests).toHaveLength(before + 1)
    expect(source.getState().status).toBe('ready')
  })

  test('a Retry-After is kept: the server named its time', async () => {
    const page = stubPage()
    const { source, requests } = byScript(() => {
      throw unavailable(MINUTE)
    })
    watch(source.getToken())
    await pass(SECOND)
    page.goOnline()
    page.show()
    await settle()
    expect(requests).toHaveLength(1)
  })

  test('the first attempt is never held back because the browser says that it is offline', async () => {
    stubPage().onLine = false
    const { source } = byScript((n) => token(n))
    expect(await source.getToken()).toBe('wyu_1')
  })

  test('offline: told at once, typed, no doomed retries, and back with the online event', async () => {
    const page = stubPage()
    const { source, requests, states } = byScript((n) => {
      if (!navigator.onLine) throw resetByPeer()
      return token(n)
    })
    page.goOffline()
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('offline')
    await pass(HOUR)
    expect(requests).toHaveLength(1)
    page.goOnline()
    await settle()
    expect(requests).toHaveLength(2)
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'failed', 'ready'])
  })

  test('offline keeps a valid token', async () => {
    const page = stubPage()
    const { source } = byScript((n) => {
      if (!navigator.onLine) throw resetByPeer()
      return token(n, 600)
    })
    await source.getToken()
    page.goOffline()
    await pass(10 * MINUTE - SECOND)
    expect(await source.getToken()).toBe('wyu_1')
    expect(source.getState()).toMatchObject({ status: 'stale', error: { code: 'offline' } })
  })

  test('after sleep a failed first attempt is followed by another', async () => {
    const page = stubPage()
    const { source } = byScript((n) => {
      if (n === 2) throw resetByPeer()
      return token(n)
    })
    await source.getToken()
    vi.setSystemTime(Date.now() + 2 * HOUR)
    page.show()
    const seen = watch(source.getToken())
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_3')
  })

  test.each(['goOnline', 'show'] as const)(
    '%s begins the schedule afresh: the network works 2 s later, and a token is there within 5 s of that',
    async (event) => {
      const page = stubPage()
      let down = true
      const { source } = byScript((n) => {
        if (down) throw resetByPeer()
        return token(n)
      })
      watch(source.getToken())
      await pass(10 * MINUTE)
      page[event]()
      const callers = [1, 2, 3].map(() => watch(source.getToken()))
      await pass(2 * SECOND)
      down = false
      await pass(5 * SECOND)
      expect(source.getState().status).toBe('ready')
      expect(callers.every(({ outcome }) => outcome.startsWith('wyu_'))).toBe(true)
    },
  )

  test('again and again, it does so once in 30 s at most', async () => {
    const page = stubPage()
    const { source, requests } = byScript(() => {
      throw resetByPeer()
    })
    watch(source.getToken())
    await pass(10 * MINUTE)
    page.show()
    await pass(10 * SECOND)
    const before = requests.length
    page.show()
    await pass(3 * SECOND)
    // At once, and then where the schedule was: not after 1 s and 2 s again.
    expect(requests).toHaveLength(before + 1)
  })

  test('a request that was in the air when the network changed is given up, and another sent', async () => {
    const page = stubPage()
    const { source, requests, request } = byHand()
    const seen = watch(source.getToken())
    await pass(SECOND)
    page.goOnline()
    expect(request(1).signal.aborted).toBe(true)
    expect(requests).toHaveLength(2)
    request(2).answer('wyu_2')
    await settle()
    expect(seen.outcome).toBe('wyu_2')
  })

  test('in a worker, which has no document, online retries', async () => {
    const page = stubPage()
    vi.stubGlobal('document', undefined)
    const { source, requests } = byScript((n) => {
      if (n === 1) throw resetByPeer()
      return token(n)
    })
    watch(source.getToken())
    await settle()
    page.goOnline()
    await settle()
    expect(requests).toHaveLength(2)
    expect(source.getState().status).toBe('ready')
  })

  test('an app that fakes wake-ups gets no more than 30 requests in a minute', async () => {
    const page = stubPage()
    const { source, requests } = byScript(() => {
      throw resetByPeer()
    })
    watch(source.getToken())
    for (let i = 0; i < 6000; i++) {
      page.goOnline()
      await pass(50)
    }
    expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(30)
  })
})

describe("the app's session has ended", () => {
  test('401 for 15 s, a call twice a second: 2 requests at most, one notification', async () => {
    const { source, requests, states } = byScript(() => {
      throw signedOut()
    })
    const calls: ReturnType<typeof watch>[] = []
    for (let at = 0; at < 15; at += 0.5) {
      calls.push(watch(source.getToken()))
      await pass(SECOND / 2)
    }
    expect(requests.length).toBeLessThanOrEqual(2)
    expect(new Set(calls.map(({ outcome }) => outcome))).toEqual(new Set(['signed_out']))
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'signed-out'])
  })

  test('is never retried alone; callers and a visible page bring one attempt per 30 s at most', async () => {
    const page = stubPage()
    const { source, requests, states } = byScript(() => {
      throw signedOut()
    })
    watch(source.getToken())
    await pass(HOUR)
    expect(requests).toHaveLength(1)
    for (let i = 0; i < 600; i++) {
      watch(source.getToken())
      page.show()
      await pass(SECOND / 2)
    }
    const gaps = requests.slice(1).map(({ at }, i) => at - (requests[i]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(30 * SECOND)
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'signed-out'])
  })

  test('a wake-up within the 30 s after a 401 is kept until they are over', async () => {
    const page = stubPage()
    const { source, requests } = byScript((n) => {
      if (n === 1) throw signedOut()
      return token(n)
    })
    watch(source.getToken())
    await pass(5 * SECOND)
    page.show()
    await pass(24 * SECOND)
    expect(requests).toHaveLength(1)
    await pass(2 * SECOND)
    expect(source.getState().status).toBe('ready')
  })

  test('the old token is served while it is valid, then the state is signed-out', async () => {
    const { source, states } = byScript((n) => {
      if (n > 1) throw signedOut()
      return token(n, 600)
    })
    await source.getToken()
    await pass(10 * MINUTE - SECOND)
    expect(await source.getToken()).toBe('wyu_1')
    expect(source.getState()).toMatchObject({ status: 'stale', error: { code: 'signed_out' } })
    await pass(2 * SECOND)
    expect(watch(source.getToken())).toBeDefined()
    await settle()
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready', 'stale', 'signed-out'])
  })

  test.each([
    ['clear()', (source: ReturnType<typeof byScript>['source']) => source.clear()],
    ['setUser()', (source: ReturnType<typeof byScript>['source']) => source.setUser('b')],
  ])('%s starts afresh at once', async (_, start) => {
    const { source } = byScript((n) => {
      if (n === 1) throw signedOut()
      return token(n)
    })
    watch(source.getToken())
    await settle()
    start(source)
    expect(await source.getToken()).toBe('wyu_2')
  })
})

describe('maxWaitMs: 0', () => {
  test('the outcome of the request that starts now', async () => {
    const { source } = byScript((n) => token(n), { maxWaitMs: 0 })
    expect(await source.getToken()).toBe('wyu_1')
  })

  test('its failure, without a retry', async () => {
    const { source, requests } = byScript(
      () => {
        throw resetByPeer()
      },
      { maxWaitMs: 0 },
    )
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('unreachable')
    expect(watch(source.getToken()).outcome).toBe('pending')
    await settle()
    expect(requests).toHaveLength(1)
  })

  test('the outcome of the request that starts when the rate limit lets one go', async () => {
    const { source, requests } = byScript((n) => token(n), { maxWaitMs: 0 })
    for (let user = 1; user <= 8; user++) {
      source.setUser(user)
      await source.getToken()
    }
    source.setUser(9)
    const ninth = watch(source.getToken())
    await pass(2 * SECOND)
    expect([ninth.outcome, requests.length]).toEqual(['pending', 8])
    await pass(SECOND)
    expect(ninth.outcome).toBe('wyu_9')
  })

  test('the outcome of the request that is in the air', async () => {
    const { source, requests, request } = byHand({ maxWaitMs: 0 })
    watch(source.getToken())
    await pass(5 * SECOND)
    const late = watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    expect(late.outcome).toBe('wyu_1')
    expect(requests).toHaveLength(1)
  })
})
