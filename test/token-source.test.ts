import { describe, expect, test, vi } from 'vitest'
import { createTokenSource, type TokenSourceOptions } from '../src/index.js'
import { internalsOf } from '../src/internals.js'
import { settle } from './settle.js'
import { byHand, byScript, DAY, fakeClocks, HOUR, MINUTE, pass, SECOND, token, watch } from './world.js'

fakeClocks()

describe('options', () => {
  test.each([
    ['neither tokenUrl nor fetchToken', {}],
    ['both', { tokenUrl: '/token', fetchToken: async () => ({ access_token: 'wyu_1' }) }],
    ['a negative refreshAheadMs', { tokenUrl: '/token', refreshAheadMs: -1 }],
    ['a timeoutMs of 0', { tokenUrl: '/token', timeoutMs: 0 }],
    ['a timeoutMs that overflows a timer', { tokenUrl: '/token', timeoutMs: 2 ** 31 }],
    ['a maxWaitMs that overflows a timer', { tokenUrl: '/token', maxWaitMs: 2 ** 31 }],
    ['a maxWaitMs of NaN', { tokenUrl: '/token', maxWaitMs: Number.NaN }],
    ['a tokenUrl that is not a URL', { tokenUrl: 'https://' }],
    ['a tokenUrl in the clear', { tokenUrl: 'http://example.com/token' }],
    ['a tokenUrl of another scheme', { tokenUrl: 'ftp://localhost/token' }],
    ['a tokenUrl with a password', { tokenUrl: 'https://user:secret@example.com/token' }],
  ] satisfies [string, TokenSourceOptions][])('%s: TypeError', (_, options) => {
    expect(() => createTokenSource(options)).toThrow(TypeError)
  })

  test('the TypeError names option and bound', () => {
    for (const [option, from] of [
      ['maxWaitMs', 0],
      ['timeoutMs', 1],
      ['refreshAheadMs', 0],
    ] as const)
      expect(() => createTokenSource({ tokenUrl: '/token', [option]: -5 })).toThrow(
        `${option} must be a number of milliseconds from ${from} to `,
      )
  })

  test.each([
    '/token',
    'http://localhost:3000/token',
    'http://127.0.0.1/token',
    'http://[::1]/token',
    'http://app.localhost/',
  ])('tokenUrl %s is fine', (tokenUrl) => {
    createTokenSource({ tokenUrl }).close()
  })

  test('an explicit undefined means the default', async () => {
    const { source, requests } = byHand({
      timeoutMs: undefined,
      maxWaitMs: undefined,
      refreshAheadMs: undefined,
    })
    const seen = watch(source.getToken())
    await pass(10 * SECOND)
    expect(requests[0]?.signal.aborted).toBe(true)
    await pass(5 * SECOND)
    expect(seen.outcome).toBe('timeout')
  })
})

describe('one flight', () => {
  test('50 concurrent callers cost one request and get one token', async () => {
    const { source, requests, request } = byHand()
    const calls = Array.from({ length: 50 }, () => source.getToken())
    expect(requests).toHaveLength(1)
    request(1).answer('wyu_1')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['wyu_1']))
    expect(requests).toHaveLength(1)
  })

  test('the slot is taken before any await', () => {
    const { source, requests } = byHand()
    for (let i = 0; i < 3; i++) watch(source.getToken())
    expect(requests).toHaveLength(1)
  })

  test('a stampede exactly at expiry costs one request', async () => {
    const { source, requests, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await settle()
    vi.setSystemTime(Date.now() + MINUTE)
    const calls = Array.from({ length: 20 }, () => watch(source.getToken()))
    expect(requests).toHaveLength(2)
    request(2).answer('wyu_2')
    await settle()
    expect(calls.every(({ outcome }) => outcome === 'wyu_2')).toBe(true)
  })

  test('calls after a success cost nothing while the token is fresh', async () => {
    const { source, requests } = byScript((n) => token(n))
    for (let i = 0; i < 1000; i++) expect(await source.getToken()).toBe('wyu_1')
    for (let i = 0; i < 1000; i++) expect(await source.tokenFactory(false)).toBe('wyu_1')
    expect(requests).toHaveLength(1)
  })

  test('reading the state or subscribing asks nobody', async () => {
    const { source, requests } = byScript((n) => token(n))
    source.getState()
    source.subscribe(() => {})
    await pass(DAY)
    expect(requests).toHaveLength(0)
    expect(source.getState()).toEqual({ status: 'empty' })
  })

  test('a failure is not kept as a result, and concurrent callers still share one flight', async () => {
    const { source, requests } = byScript((n) => (n === 1 ? { access_token: '' } : token(n)))
    const first = [source.getToken(), source.getToken()].map(watch)
    await settle()
    expect(first.map(({ outcome }) => outcome)).toEqual(['bad_response', 'bad_response'])
    await pass(SECOND)
    const second = [source.getToken(), source.getToken()].map(watch)
    await settle()
    expect(second.map(({ outcome }) => outcome)).toEqual(['wyu_2', 'wyu_2'])
    expect(requests).toHaveLength(2)
  })
})

describe('signal', () => {
  test('rejects that caller alone, with its reason', async () => {
    const { source, request } = byHand()
    const abort = new AbortController()
    const one = watch(source.getToken({ signal: abort.signal }))
    const other = watch(source.getToken())
    const reason = new Error('closed the dialog')
    abort.abort(reason)
    await settle()
    expect(one.error).toBe(reason)
    expect(request(1).signal.aborted).toBe(false)
    request(1).answer('wyu_1')
    await settle()
    expect(other.outcome).toBe('wyu_1')
  })

  test('aborts the request when nobody waits any more, and the next caller starts another', async () => {
    const { source, requests, request } = byHand()
    const abort = new AbortController()
    const calls = [1, 2].map(() => watch(source.getToken({ signal: abort.signal })))
    abort.abort()
    await settle()
    expect(calls.every(({ error }) => error === abort.signal.reason)).toBe(true)
    expect(request(1).signal.aborted).toBe(true)
    expect(source.getState()).toEqual({ status: 'empty' })

    const next = watch(source.getToken())
    expect(requests).toHaveLength(2)
    request(1).answer('wyu_late')
    await settle()
    expect(next.outcome).toBe('pending')
    request(2).answer('wyu_2')
    await settle()
    expect(next.outcome).toBe('wyu_2')
  })

  test('that has aborted already costs no request', async () => {
    const { source, requests } = byHand()
    const reason = new Error('too late')
    await expect(source.getToken({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(requests).toHaveLength(0)
  })

  test('leaves no listener on the signal', async () => {
    const { source, request } = byHand()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    watch(source.getToken({ signal }))
    request(1).answer('wyu_1')
    await settle()
    expect(added).toHaveBeenCalledTimes(1)
    expect(removed).toHaveBeenCalledWith('abort', added.mock.calls[0]?.[1])
  })

  test('does not end the replacement of a refused token: the source needs it itself', async () => {
    const { source, states, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    const abort = new AbortController()
    watch(source.getToken({ rejected: 'wyu_1', signal: abort.signal }))
    abort.abort()
    await settle()
    expect(request(2).signal.aborted).toBe(false)
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready', 'fetching'])
  })
})

describe('ahead of expiry', () => {
  test('callers keep getting the current token without waiting while it is refreshed', async () => {
    const { source, requests, request } = byHand({ timeoutMs: HOUR })
    watch(source.getToken())
    request(1).answer('wyu_1', 3600)
    await pass(HOUR - 20 * SECOND)
    expect(requests).toHaveLength(2)
    expect(request(2).refresh).toBe(true)
    expect(await source.getToken()).toBe('wyu_1')
    expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_1' })
    request(2).answer('wyu_2', 3600)
    await settle()
    expect(await source.getToken()).toBe('wyu_2')
  })

  test.each([1, 6, 60, 3600, 30 * 24 * 3600])(
    'one request per lifetime of %i s, nobody waits',
    async (lifetime) => {
      const { source, requests } = byScript((n) => token(n, lifetime), { refreshAheadMs: undefined })
      await source.getToken()
      for (let step = 0; step < 60; step++) {
        await pass((lifetime * SECOND) / 10)
        const seen = watch(source.getToken())
        await settle()
        expect(seen.outcome).toMatch(/^wyu_/)
      }
      // Six lifetimes, the last tenth of each cut off, of short ones up to a quarter.
      const most = lifetime < 10 ? 9 : 7
      expect(requests.length).toBeGreaterThanOrEqual(6)
      expect(requests.length).toBeLessThanOrEqual(most)
    },
  )

  test.each([
    ['30 days', 30 * 24 * 3600],
    ['10 years', 10 * 365 * 24 * 3600],
    ['an absurd number of seconds', 1e20],
  ])('%s: one request in 25 days, no timer overflows', async (_, lifetime) => {
    const warned = vi.fn()
    process.on('warning', warned)
    const { source, requests } = byScript((n) => token(n, lifetime))
    await source.getToken()
    for (let hour = 0; hour < 25 * 24; hour++) {
      await pass(HOUR)
      await source.getToken()
    }
    process.off('warning', warned)
    expect(requests).toHaveLength(1)
    expect(warned).not.toHaveBeenCalled()
  })

  test('refreshAheadMs sets the lead, jitter shortens it by half at most', async () => {
    const { source, requests } = byScript((n) => token(n, 3600), { refreshAheadMs: 10 * MINUTE })
    await source.getToken()
    await pass(50 * MINUTE - 1)
    expect(requests).toHaveLength(1)
    await pass(5 * MINUTE + 2)
    expect(requests).toHaveLength(2)
  })

  test('an unknown lifetime is not refreshed ahead', async () => {
    const { source, requests } = byScript((n) => ({ access_token: `wyu_${n}` }))
    await source.getToken()
    await pass(30 * DAY)
    expect(await source.getToken()).toBe('wyu_1')
    expect(source.getState()).toEqual({ status: 'ready', token: 'wyu_1', expiresAt: null })
    expect(requests).toHaveLength(1)
  })
})

describe('minValidityMs', () => {
  test('a token with less life left is refreshed first', async () => {
    const { source, requests } = byScript((n) => token(n, 3600))
    await source.getToken()
    await pass(30 * MINUTE)
    expect(await source.getToken({ minValidityMs: 29 * MINUTE })).toBe('wyu_1')
    expect(await source.getToken({ minValidityMs: 31 * MINUTE })).toBe('wyu_2')
    expect(requests[1]?.refresh).toBe(true)
  })

  test('others are not held up meanwhile', async () => {
    const { source, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await pass(30 * SECOND)
    const patient = watch(source.getToken({ minValidityMs: 45 * SECOND }))
    expect(await source.getToken()).toBe('wyu_1')
    request(2).answer('wyu_2', 60)
    await settle()
    expect(patient.outcome).toBe('wyu_2')
  })

  test('the newest valid token is handed out when the refresh fails', async () => {
    const { source } = byScript((n) => {
      if (n > 1) throw new TypeError('fetch failed')
      return token(n, 60)
    })
    await source.getToken()
    expect(await source.getToken({ minValidityMs: 50 * MINUTE })).toBe('wyu_1')
  })

  test('more than any token has costs no request per call', async () => {
    const { source, requests } = byScript((n) => token(n, 60))
    for (let i = 0; i < 50; i++) {
      await source.getToken({ minValidityMs: HOUR })
      await source.getToken({ minValidityMs: MINUTE })
      await source.getToken({ minValidityMs: MINUTE - 10 })
      await pass(50)
    }
    expect(requests).toHaveLength(2)
  })
})

describe('state', () => {
  test('is one frozen object per change, the same reference while nothing changes', async () => {
    const { source, states } = byScript((n) => token(n, 3600))
    const empty = source.getState()
    expect(source.getState()).toBe(empty)
    await source.getToken()
    const ready = source.getState()
    expect(ready).toEqual({ status: 'ready', token: 'wyu_1', expiresAt: Date.now() + HOUR })
    expect(source.getState()).toBe(ready)
    expect(Object.isFrozen(ready)).toBe(true)
    expect(states).toEqual([{ status: 'fetching' }, ready])
    await source.getToken()
    await pass(MINUTE)
    expect(states).toHaveLength(2)
  })

  test('says that a token is not usable any more at the moment it expires, whatever the timers do', async () => {
    const { source, request } = byHand()
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await settle()
    vi.setSystemTime(Date.now() + MINUTE)
    expect(source.getState()).toEqual({ status: 'fetching' })
  })

  test('listeners are told every state in order, also when one of them asks for a token or clears', async () => {
    const { source, request } = byHand()
    source.subscribe(({ status }) => {
      if (status === 'empty') watch(source.getToken())
    })
    const late: string[] = []
    source.subscribe(({ status }) => late.push(status))
    watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    source.clear()
    await settle()
    expect(late).toEqual(['fetching', 'ready', 'empty', 'fetching'])
    request(2).answer('wyu_2')
    await settle()
    expect(late).toEqual(['fetching', 'ready', 'empty', 'fetching', 'ready'])
  })

  test('getToken inside a listener resolves', async () => {
    const { source, request } = byHand()
    const inside: string[] = []
    source.subscribe(async ({ status }) => {
      if (status === 'ready') inside.push(await source.getToken())
    })
    watch(source.getToken())
    request(1).answer('wyu_1')
    await settle()
    expect(inside).toEqual(['wyu_1'])
  })

  test('a throwing listener harms nobody, its error goes to reportError', async () => {
    const reportError = vi.fn()
    vi.stubGlobal('reportError', reportError)
    const { source } = byScript((n) => token(n))
    const broken = new Error('listener')
    source.subscribe(() => {
      throw broken
    })
    const other = vi.fn()
    source.subscribe(other)
    expect(await source.getToken()).toBe('wyu_1')
    expect(other).toHaveBeenCalledTimes(2)
    expect(reportError).toHaveBeenCalledTimes(2)
    expect(reportError).toHaveBeenCalledWith(broken)
  })

  test('a throwing listener harms nobody where there is no reportError either', async () => {
    vi.stubGlobal('reportError', undefined)
    const { source } = byScript((n) => token(n))
    source.subscribe(() => {
      throw new Error('listener')
    })
    expect(await source.getToken()).toBe('wyu_1')
  })

  test('a listener that has left is told nothing, even in the middle of a round', async () => {
    const { source } = byScript((n) => token(n))
    const told = vi.fn()
    source.subscribe(() => leave())
    const leave = source.subscribe(told)
    await source.getToken()
    expect(told).not.toHaveBeenCalled()
  })

  test('one function subscribed twice is told twice, and each undo undoes its own', async () => {
    const { source } = byScript((n) => token(n))
    const told = vi.fn()
    const undo = source.subscribe(told)
    source.subscribe(told)
    undo()
    undo()
    await source.getToken()
    expect(told).toHaveBeenCalledTimes(2)
  })
})

test('a browser, where a timer is a number, is as good as Node', async () => {
  const set = globalThis.setTimeout
  vi.stubGlobal('setTimeout', (...args: Parameters<typeof set>) => Number(set(...args)))
  const { source } = byScript((n) => token(n))
  expect(await source.getToken()).toBe('wyu_1')
})

test('what a second copy of this library looks for is where that finds it', async () => {
  const { source, requests } = byScript((n) => token(n))
  await source.getToken()
  expect(Object.getOwnPropertySymbols(source)).toContain(Symbol.for('weavy-token.internals'))
  expect(Object.getOwnPropertySymbols(requests[0])).toContain(Symbol.for('weavy-token.session'))
  for (const other of [undefined, {}])
    expect(() => internalsOf(other as never)).toThrow('source must come from createTokenSource')
})

test('every function works when destructured', async () => {
  const { source } = byScript((n) => token(n))
  const { getToken, tokenFactory, createTokenFactory, getState, subscribe, setUser, clear, close } = source
  expect(await getToken()).toBe('wyu_1')
  expect(await tokenFactory(false)).toBe('wyu_1')
  expect(await createTokenFactory()(true)).toBe('wyu_1')
  subscribe(() => {})()
  setUser('b')
  clear()
  expect(getState()).toEqual({ status: 'empty' })
  close()
})

test('a source that its provider opens again begins anew, for the user it had', async () => {
  const { source, request } = byHand({ user: 'a' })
  const { reopen, session } = internalsOf(source)
  watch(source.getToken())
  request(1).answer('wyu_1')
  await settle()
  const before = session()
  reopen()
  expect(session()).toBe(before)
  source.close()
  expect(before.over).toMatchObject({ code: 'closed' })
  reopen()
  expect(session()).toMatchObject({ user: 'a', over: undefined })
  expect(source.getState()).toEqual({ status: 'empty' })
  const seen = watch(source.getToken())
  request(2).answer('wyu_2')
  await settle()
  expect(seen.outcome).toBe('wyu_2')
  source.close()
})
