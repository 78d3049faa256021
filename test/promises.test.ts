import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTokenSource, TokenError, type TokenRequest, type TokenSourceOptions } from '../src/index.js'

/** A broker that is scripted one answer at a time; the default gives a new token each time. */
function scripted(options: Partial<TokenSourceOptions> = {}, lifetime: number | undefined = 3600) {
  const requests: TokenRequest[] = []
  const at: number[] = []
  const start = performance.now()
  let n = 0
  const script = {
    answer: async (_request: TokenRequest): Promise<unknown> => ({
      access_token: `wyu_${++n}`,
      ...(lifetime !== undefined && { expires_in: lifetime }),
    }),
  }
  const source = createTokenSource({
    fetchToken: (request) => {
      requests.push(request)
      at.push(performance.now() - start)
      return script.answer(request) as never
    },
    ...options,
  })
  return { source, requests, at, script }
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    (token) => token,
    (error) => error.code ?? error,
  )

const down = (retryAfterMs?: number) => async () => {
  throw new TokenError('broker_error', 'down', { status: 503, retryAfterMs })
}

/** The most events in any 60 s. */
const peak = (at: number[]) =>
  Math.max(0, ...at.map((from) => at.filter((t) => t >= from && t < from + 60_000).length))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('one flight', () => {
  test('50 concurrent callers cost one request', async () => {
    const { source, requests } = scripted()
    const tokens = await Promise.all([...Array(50)].map(() => source.getToken()))
    expect(new Set(tokens)).toEqual(new Set(['wyu_1']))
    expect(requests).toHaveLength(1)
    source.close()
  })

  test('the request is aborted when its last caller leaves, and not before', async () => {
    const { source, requests, script } = scripted()
    script.answer = () => new Promise(() => {})
    const [a, b] = [new AbortController(), new AbortController()]
    const results = [
      codeOf(source.getToken({ signal: a.signal })),
      codeOf(source.getToken({ signal: b.signal })),
    ]
    a.abort('left a')
    expect(requests[0]?.signal.aborted).toBe(false)
    b.abort('left b')
    expect(requests[0]?.signal.aborted).toBe(true)
    expect(await Promise.all(results)).toEqual(['left a', 'left b'])
    expect(source.getState()).toEqual({ status: 'empty' })
    source.close()
  })
})

describe('expiry', () => {
  for (const [lifetime, simulated] of [
    [6, 60],
    [3600, 4 * 3600],
    [30 * 86_400, 25 * 86_400],
    [10 * 365 * 86_400, 25 * 86_400],
  ] as const)
    test(`tokens of ${lifetime} s: one request each, always a valid one at hand`, async () => {
      const { source, requests } = scripted({}, lifetime)
      await source.getToken()
      const steps = 100
      for (let i = 0; i < steps; i++) {
        await vi.advanceTimersByTimeAsync((simulated * 1000) / steps)
        const state = source.getState()
        expect(state.status).toBe('ready')
        if (state.status === 'ready') expect(state.expiresAt).toBeGreaterThan(Date.now())
      }
      expect(requests.length).toBeLessThanOrEqual(Math.ceil(simulated / (lifetime * 0.9)) + 1)
      source.close()
    })

  test('either clock alone ends a token: sleep, and a wall clock set back', async () => {
    for (const stopped of ['wall', 'mono'] as const) {
      const { source } = scripted()
      expect(await source.getToken()).toBe('wyu_1')
      const [wall, mono] = [Date.now(), performance.now()]
      vi.spyOn(Date, 'now').mockImplementation(() => wall + (stopped === 'wall' ? -7_200_000 : 3_600_000))
      vi.spyOn(performance, 'now').mockImplementation(() => mono + (stopped === 'mono' ? 0 : 3_600_000))
      expect(await source.getToken()).toBe('wyu_2')
      source.close()
      vi.restoreAllMocks()
    }
  })
})

describe('refusals', () => {
  test('a refusal of an old token costs nothing, one of the current token a refresh, and it never comes back', async () => {
    const { source, requests } = scripted()
    const first = await source.getToken()
    expect(await source.getToken({ rejected: 'wyu_0' })).toBe(first)
    expect(await source.getToken({ rejected: first })).toBe('wyu_2')
    expect(await source.getToken({ rejected: first })).toBe('wyu_2')
    expect(requests.map(({ refresh, rejected }) => ({ refresh, rejected }))).toEqual([
      { refresh: false, rejected: undefined },
      { refresh: true, rejected: 'wyu_1' },
    ])
    source.close()
  })

  test('an ordinary flight under way may not answer a refusal with the refused token', async () => {
    const { source, script, requests } = scripted()
    const first = await source.getToken()
    let answer: (value: unknown) => void = () => {}
    script.answer = () => new Promise((resolve) => (answer = resolve))
    const minValid = source.getToken({ minValidityMs: 3_600_000 })
    await vi.advanceTimersByTimeAsync(1)
    const refreshed = source.getToken({ rejected: first })
    answer({ access_token: first, expires_in: 3600 })
    await vi.advanceTimersByTimeAsync(1)
    script.answer = async () => ({ access_token: 'wyu_new', expires_in: 3600 })
    await vi.advanceTimersByTimeAsync(2000)
    expect(await refreshed).toBe('wyu_new')
    await minValid
    expect(requests.length).toBe(3)
    source.close()
  })

  test('the same token for ever: rejected within two minutes, few requests, healed within five', async () => {
    const { source, script, at } = scripted()
    script.answer = async () => ({ access_token: 'wyu_same', expires_in: 3600 })
    const token = await source.getToken()
    const outcome = codeOf(source.getToken({ rejected: token }))
    await vi.advanceTimersByTimeAsync(120_000)
    expect(await outcome).toBe('rejected')
    for (let i = 0; i < 600; i++) {
      await codeOf(source.getToken())
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(peak(at)).toBeLessThanOrEqual(8)
    script.answer = async () => ({ access_token: 'wyu_good', expires_in: 3600 })
    await vi.advanceTimersByTimeAsync(300_000)
    expect(await source.getToken()).toBe('wyu_good')
    source.close()
  })

  test('each fresh token refused at once: rejected within two minutes, and at once well after clear()', async () => {
    const { source, at } = scripted()
    let last = await source.getToken()
    const codes: unknown[] = []
    const begun = performance.now()
    while (performance.now() - begun < 120_000) {
      const next = codeOf(source.getToken({ rejected: last }))
      await vi.advanceTimersByTimeAsync(1000)
      const settled = await Promise.race([next, Promise.resolve('waiting')])
      if (String(settled).startsWith('wyu_')) last = settled as string
      else codes.push(settled)
    }
    expect(codes).toContain('rejected')
    expect(peak(at)).toBeLessThanOrEqual(10)
    source.clear()
    expect(await source.getToken()).toMatch(/^wyu_/)
    source.close()
  })

  test('tokens that rotate for an hour without a refusal leave no strike behind', async () => {
    const { source } = scripted({}, 20)
    for (let i = 0; i < 3; i++) {
      const refreshed = source.getToken({ rejected: await source.getToken() })
      await vi.advanceTimersByTimeAsync(3000)
      await refreshed
    }
    await vi.advanceTimersByTimeAsync(3_600_000)
    const again = source.getToken({ rejected: await source.getToken() })
    await vi.advanceTimersByTimeAsync(100)
    expect(await again).toMatch(/^wyu_/)
    source.close()
  })
})

describe('outages', () => {
  for (const retryAfterMs of [2000, undefined])
    test(`8 s of 503 with Retry-After ${retryAfterMs}: at most 5 requests, nobody fails, healed in 2.5 s`, async () => {
      const { source, script, at } = scripted({}, 60)
      await source.getToken()
      const good = script.answer
      script.answer = down(retryAfterMs)
      await vi.advanceTimersByTimeAsync(53_000)
      while (at.length < 2) await vi.advanceTimersByTimeAsync(100)
      for (let i = 0; i < 16; i++) {
        const pending = source.getToken()
        await vi.advanceTimersByTimeAsync(500)
        pending.catch((error) => expect(error).toBeUndefined())
      }
      expect(at.length - 1).toBeLessThanOrEqual(5)
      script.answer = good
      const healed = source.getToken({ minValidityMs: 20_000 })
      await vi.advanceTimersByTimeAsync(2500)
      expect(await healed).toBe('wyu_2')
      expect(source.getState().status).toBe('ready')
      source.close()
    })

  test('a caller without a token waits for maxWaitMs at most and gets the last failure', async () => {
    const { source, script } = scripted({ maxWaitMs: 5000 })
    script.answer = down()
    const outcome = codeOf(source.getToken())
    await vi.advanceTimersByTimeAsync(4999)
    expect(await Promise.race([outcome, 'waiting'])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await outcome).toBe('broker_error')
    source.close()
  })

  test('a broker that hangs is cut off, and the slot is free', async () => {
    const { source, script, requests } = scripted({ timeoutMs: 1000, maxWaitMs: 1500 })
    script.answer = () => new Promise(() => {})
    const outcome = codeOf(source.getToken())
    await vi.advanceTimersByTimeAsync(1500)
    expect(await outcome).toBe('timeout')
    expect(requests[0]?.signal.aborted).toBe(true)
    source.close()
  })

  test('the session ended: two requests in 15 s at most and one notification, the old token is served on', async () => {
    const { source, script, requests } = scripted({}, 60)
    const token = await source.getToken()
    script.answer = async () => {
      throw new TokenError('signed_out', 'over', { status: 401 })
    }
    await vi.advanceTimersByTimeAsync(58_000)
    expect(source.getState()).toMatchObject({ status: 'stale', token })
    expect(await source.getToken()).toBe(token)
    const states: string[] = []
    source.subscribe(({ status }) => states.push(status))
    await vi.advanceTimersByTimeAsync(2000)
    const before = requests.length
    for (let i = 0; i < 30; i++) {
      await codeOf(source.getToken())
      await vi.advanceTimersByTimeAsync(500)
    }
    expect(requests.length - before).toBeLessThanOrEqual(2)
    expect(states).toEqual(['signed-out'])
    source.close()
  })

  test('other failures are told at once and cool down for everybody', async () => {
    const { source, script, requests } = scripted()
    script.answer = async () => ({ nothing: true })
    expect(await codeOf(source.getToken())).toBe('bad_response')
    for (let i = 0; i < 20; i++) expect(await codeOf(source.getToken())).toBe('bad_response')
    expect(requests).toHaveLength(1)
    source.close()
  })

  test('expired on arrival: asked once more with refresh, then a typed failure', async () => {
    const { source, script, requests } = scripted()
    script.answer = async () => ({ access_token: 'wyu_dead', expires_in: 0 })
    expect(await codeOf(source.getToken())).toBe('bad_response')
    expect(requests.map(({ refresh }) => refresh)).toEqual([false, true])
    source.close()
  })
})

describe('user switch', () => {
  test('is synchronous: the token is gone, the request aborted, waiters superseded, a late result dropped', async () => {
    const { source, script, requests } = scripted({ user: 'a' })
    let answer: (value: unknown) => void = () => {}
    script.answer = () => new Promise((resolve) => (answer = resolve))
    const waiting = codeOf(source.getToken())
    answer({ access_token: 'wyu_of_a', expires_in: 3600 })
    source.setUser('b')
    expect(source.getState()).toEqual({ status: 'empty' })
    expect(await waiting).toBe('superseded')
    expect(requests[0]?.signal.aborted).toBe(true)
    script.answer = async () => ({ access_token: 'wyu_of_b', expires_in: 3600 })
    expect(await source.getToken()).toBe('wyu_of_b')
    source.setUser('b')
    expect(await source.getToken()).toBe('wyu_of_b')
    source.setUser(null)
    expect(source.getState()).toMatchObject({ status: 'signed-out' })
    expect(await codeOf(source.getToken())).toBe('signed_out')
    expect(requests).toHaveLength(2)
    source.close()
    expect(await codeOf(source.getToken())).toBe('closed')
  })

  test('a listener may ask and switch while it is told, and one that throws harms nobody', async () => {
    vi.stubGlobal('reportError', vi.fn())
    const { source } = scripted({ user: 'a' })
    source.subscribe(() => {
      throw new Error('listener')
    })
    const inside: unknown[] = []
    source.subscribe((state) => {
      if (state.status === 'ready') inside.push(source.getToken())
      if (state.status === 'ready' && state.token === 'wyu_1') source.setUser('b')
    })
    const seen: string[] = []
    source.subscribe(({ status }) => seen.push(status))
    await codeOf(source.getToken())
    expect(await codeOf(source.getToken())).toBe('wyu_2')
    expect(await Promise.all(inside)).toEqual(['wyu_1', 'wyu_2'])
    expect(seen.at(-1)).toBe('ready')
    expect(globalThis.reportError).toHaveBeenCalled()
    source.close()
    vi.unstubAllGlobals()
  })
})
