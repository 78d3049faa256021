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

const switches: [string, (source: ReturnType<typeof byHand>['source']) => void][] = [
  ['setUser()', (source) => source.setUser('b')],
  ['clear()', (source) => source.clear()],
]

describe.each(switches)('%s', (_, change) => {
  test('drops the token at once', async () => {
    const { source, states } = byScript((n) => token(n), { user: 'a' })
    await source.getToken()
    change(source)
    expect(source.getState()).toEqual({ status: 'empty' })
    expect(states.at(-1)).toEqual({ status: 'empty' })
    expect(await source.getToken()).toBe('wyu_2')
  })

  test('aborts the request in the air; waiters reject with superseded, the late result is dropped', async () => {
    const { source, requests, request } = byHand({ user: 'a' })
    const old = watch(source.getToken())
    change(source)
    expect(request(1).signal.aborted).toBe(true)
    const next = watch(source.getToken())
    expect(requests).toHaveLength(2)
    request(1).answer('wyu_a')
    await settle()
    expect([old.outcome, next.outcome]).toEqual(['superseded', 'pending'])
    request(2).answer('wyu_b')
    await settle()
    expect(next.outcome).toBe('wyu_b')
  })

  test('drops a late failure too', async () => {
    const { source, request } = byHand({ user: 'a' })
    watch(source.getToken())
    change(source)
    const next = watch(source.getToken())
    request(1).fail(new TypeError('fetch failed'))
    await settle()
    expect(source.getState()).toEqual({ status: 'fetching' })
    request(2).answer('wyu_b')
    await settle()
    expect(next.outcome).toBe('wyu_b')
  })

  test('a reply that lands in the same tick does not reach the next user', async () => {
    const { source, request } = byHand({ user: 'a' })
    const old = watch(source.getToken())
    request(1).answer('wyu_a')
    change(source)
    await settle()
    expect(old.outcome).toBe('superseded')
    expect(source.getState()).toEqual({ status: 'empty' })
  })

  test('in a listener that hears of the token: whoever waited for it does not get it', async () => {
    const { source, request } = byHand({ user: 'a' })
    source.subscribe(({ status }) => {
      if (status === 'ready') change(source)
    })
    const old = watch(source.getToken())
    request(1).answer('wyu_a')
    await settle()
    expect(old.outcome).toBe('superseded')
  })

  test('in a listener that a call wakes: that call does not get the token that it had in hand', async () => {
    const { source, request } = byHand({ user: 'a' })
    watch(source.getToken())
    request(1).answer('wyu_a')
    await settle()
    // The wall clock goes wrong and is put right: expired for a moment, which listeners heard.
    const now = Date.now()
    vi.setSystemTime(now + 2 * HOUR)
    watch(source.getToken())
    await null
    vi.setSystemTime(now)
    source.subscribe(({ status }) => {
      if (status === 'ready') change(source)
    })
    const seen = watch(source.getToken({ minValidityMs: 1 }))
    await settle()
    expect(seen.outcome).toBe('superseded')
  })

  test('inside fetchToken itself: the new waiter gets nothing of the old user', async () => {
    const calls: ReturnType<typeof watch>[] = []
    const { source } = byScript(
      (n) => {
        if (n === 2) {
          change(source)
          calls.push(watch(source.getToken()))
        }
        return token(n, 60)
      },
      { user: 'a' },
    )
    await source.getToken()
    await pass(56.9 * SECOND)
    await settle()
    expect(calls.map(({ outcome }) => outcome)).toEqual(['wyu_3'])
  })

  test('forgets refusals and failures, and asks without refresh=true', async () => {
    const { source, requests } = byScript(() => token(1), { user: 'a' })
    await source.getToken()
    watch(source.getToken({ rejected: 'wyu_1' }))
    await pass(MINUTE)
    expect(source.getState().status).toBe('failed')
    change(source)
    expect(await source.getToken()).toBe('wyu_1')
    expect(requests.at(-1)).toMatchObject({ refresh: false, rejected: undefined })
  })

  test('leaves nothing to be fetched until somebody asks', async () => {
    const { source, requests } = byScript((n) => token(n, 60), { user: 'a' })
    await source.getToken()
    change(source)
    await pass(DAY)
    expect(requests).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('called from inside', () => {
  const acts: [string, (source: ReturnType<typeof byHand>['source']) => void][] = [
    ...switches,
    ['close()', (source) => source.close()],
  ]

  test.each(switches)(
    '%s: who asks in the abort handler of the old request is the new user',
    async (_, change) => {
      const inside: ReturnType<typeof watch>[] = []
      const { source, requests, request } = byHand({ user: 'a' })
      watch(source.getToken())
      request(1).signal.addEventListener('abort', () => inside.push(watch(source.getToken())))
      change(source)
      expect(requests).toHaveLength(2)
      request(1).answer('wyu_a')
      request(2).answer('wyu_b')
      await settle()
      expect(inside.map(({ outcome }) => outcome)).toEqual(['wyu_b'])
    },
  )

  test.each(acts)(
    'a fetchToken that is not async, calls %s and throws: nothing is unhandled',
    async (_, act) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      const { source } = byHand({
        user: 'a',
        fetchToken: () => {
          act(source)
          throw new Error('boom')
        },
      })
      const seen = watch(source.getToken())
      await settle()
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', unhandled)
      expect(unhandled).not.toHaveBeenCalled()
      expect(['superseded', 'closed']).toContain(seen.outcome)
    },
  )

  test('a token that a listener refuses at once is handed to nobody', async () => {
    const { source } = byScript((n) => token(n))
    source.subscribe((state) => {
      if (state.status === 'ready' && state.token === 'wyu_1') watch(source.getToken({ rejected: 'wyu_1' }))
    })
    expect(await source.getToken()).toBe('wyu_2')
  })

  test('the first caller aborts: empty, with nothing on its way, and no state is told twice', async () => {
    const { source, states, request } = byHand()
    const abort = new AbortController()
    watch(source.getToken({ signal: abort.signal }))
    await settle()
    abort.abort()
    await settle()
    expect(request(1).signal.aborted).toBe(true)
    expect(source.getState()).toEqual({ status: 'empty' })
    source.close()
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'empty'])
  })
})

describe('user', () => {
  test('the one it already has: nothing happens', async () => {
    const { source, states } = byScript((n) => token(n), { user: 'a' })
    await source.getToken()
    source.setUser('a')
    expect(await source.getToken()).toBe('wyu_1')
    expect(states).toHaveLength(2)
  })

  test.each([
    ['the option', (source: ReturnType<typeof byHand>['source']) => source, null],
    ['setUser', (source: ReturnType<typeof byHand>['source']) => source.setUser(null), 'a'],
  ])('null by %s: signed-out, and getToken rejects without a request', async (_, signOut, user) => {
    const { source, requests } = byHand({ user })
    signOut(source)
    expect(source.getState()).toMatchObject({ status: 'signed-out', error: { code: 'signed_out' } })
    for (let i = 0; i < 3; i++) await expect(source.getToken()).rejects.toMatchObject({ code: 'signed_out' })
    await pass(HOUR)
    expect(requests).toHaveLength(0)
    source.setUser('b')
    const seen = watch(source.getToken())
    requests[0]?.answer('wyu_b')
    await settle()
    expect(seen.outcome).toBe('wyu_b')
  })

  test('null cuts off a valid token at once', async () => {
    const { source, states } = byScript((n) => token(n), { user: 'a' })
    await source.getToken()
    source.setUser(null)
    expect(watch(source.getToken())).toBeDefined()
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready', 'signed-out'])
  })

  test('clear() while nobody is signed in keeps it so', async () => {
    const { source } = byHand({ user: null })
    source.clear()
    expect(source.getState().status).toBe('signed-out')
  })

  test('a hundred switches a second make no storm', async () => {
    const { source, requests } = byScript((n) => token(n))
    for (let i = 0; i < 3000; i++) {
      source.setUser(i)
      watch(source.getToken())
      await pass(10)
    }
    await pass(2 * MINUTE)
    expect(peakPerMinute(requests.map(({ at }) => at))).toBeLessThanOrEqual(30)
    expect(source.getState().status).toBe('ready')
  })
})

describe('close()', () => {
  test('leaves no timer, no listener and no request, and rejects whoever waits', async () => {
    const page = stubPage()
    const { source, states, request } = byHand()
    const seen = watch(source.getToken())
    expect(page.counted.listeners).toBe(4)
    source.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(page.counted.listeners).toBe(0)
    expect(request(1).signal.aborted).toBe(true)
    await settle()
    expect(seen.outcome).toBe('closed')
    expect(states).toEqual([])
    expect(source.getState()).toEqual({ status: 'empty' })
  })

  test('with a token: the timer is gone, nothing is handed out any more', async () => {
    const { source, requests } = byScript((n) => token(n, 60))
    await source.getToken()
    source.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(source.getState()).toEqual({ status: 'empty' })
    await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
    await expect(source.tokenFactory(true)).rejects.toMatchObject({ code: 'closed' })
    await pass(HOUR)
    expect(requests).toHaveLength(1)
  })

  test('twice, or anything after it, does nothing', async () => {
    const { source, states } = byScript((n) => token(n))
    source.close()
    const told = states.length
    source.close()
    source.clear()
    source.setUser('b')
    source.subscribe(() => expect.unreachable())()
    expect(source.getState()).toEqual({ status: 'empty' })
    expect(states).toHaveLength(told)
  })

  test('asked for the first time after it, it listens to nothing', async () => {
    const page = stubPage()
    const { source } = byHand()
    source.close()
    await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
    expect(page.counted.listeners).toBe(0)
  })

  test('in a listener: the others hear of it, and nothing is left', async () => {
    const { source, request } = byHand()
    source.subscribe(({ status }) => {
      if (status === 'ready') source.close()
    })
    const late: unknown[] = []
    source.subscribe((state) => late.push(state))
    const seen = watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    expect(seen.outcome).toBe('closed')
    expect(late.at(-1)).toEqual({ status: 'empty' })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('inside fetchToken: nothing is left', async () => {
    const { source } = byScript((n) => {
      source.close()
      return token(n)
    })
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('closed')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is what Symbol.dispose does', async () => {
    const { source } = byScript((n) => token(n))
    await source.getToken()
    source[Symbol.dispose]()
    expect(source.getState()).toEqual({ status: 'empty' })
  })
})

describe('quiet', () => {
  test('no timer keeps a process alive while nobody waits', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { source } = byScript((n) => token(n))
    await source.getToken()
    expect(timers.mock.results.length).toBeGreaterThanOrEqual(2)
    expect(timers.mock.results.at(-1)?.value.hasRef()).toBe(false)
  })

  test('making a source touches nothing, importing neither', async () => {
    const page = stubPage()
    const fetch = vi.fn()
    vi.stubGlobal('fetch', fetch)
    vi.resetModules()
    const fresh = await import('../src/index.js')
    fresh.createTokenSource({ tokenUrl: 'https://example.com/token' })
    await pass(HOUR)
    expect(page.counted.listeners).toBe(0)
    expect(fetch).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('nothing is written to the console, nothing is unhandled', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name))
    const { source } = byScript((n) => {
      if (n % 2) throw new TypeError('fetch failed')
      return token(n, n % 3 ? 10 : 0)
    })
    for (let i = 0; i < 100; i++) {
      watch(source.getToken())
      await pass(SECOND)
      if (i % 10 === 0) source.setUser(i)
    }
    source.close()
    await settle()
    process.off('unhandledRejection', unhandled)
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    expect(unhandled).not.toHaveBeenCalled()
  })
})
