import { readFileSync } from 'node:fs'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import ts from 'typescript'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTokenSource, TokenError, type TokenRequest, type TokenSourceOptions } from '../src/index.js'

type Answer = (request: TokenRequest) => Promise<unknown>

const HOUR_MS = 3_600_000

/** A broker that gives a new token of an hour each time, until `answer` is replaced. */
function scripted(options: Partial<TokenSourceOptions> = {}, lifetime = 3600) {
  const requests: TokenRequest[] = []
  const good: Answer = async () => ({ access_token: `wyu_${requests.length}`, expires_in: lifetime })
  const broker = { answer: good, good, requests }
  const source = createTokenSource({
    fetchToken: (request) => {
      requests.push(request)
      return broker.answer(request) as never
    },
    ...options,
  })
  return { source, broker, requests }
}

/** Answers that the test gives when it wants. */
function byHand() {
  const given: ((answer: unknown) => void)[] = []
  const answer: Answer = () => new Promise((resolve) => given.push(resolve))
  return { answer, given }
}

const unreachable: Answer = async () => {
  throw new TypeError('network')
}

const outcomeOf = (promise: Promise<string>): Promise<string> =>
  promise.catch((error) => (error instanceof TokenError ? error.code : `untyped: ${error}`))

/** Both clocks go on, and no timer rings: a machine that sleeps, a tab that is throttled. */
function sleep(ms: number) {
  const [wall, mono] = [Date.now, performance.now.bind(performance)]
  vi.spyOn(Date, 'now').mockImplementation(() => wall() + ms)
  vi.spyOn(performance, 'now').mockImplementation(() => mono() + ms)
}

function stubPage() {
  const page = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  const frame = new EventTarget()
  const navigator = { onLine: true }
  vi.stubGlobal('document', page)
  vi.stubGlobal('navigator', navigator)
  vi.stubGlobal('addEventListener', frame.addEventListener.bind(frame))
  vi.stubGlobal('removeEventListener', frame.removeEventListener.bind(frame))
  return {
    show: () => page.dispatchEvent(new Event('visibilitychange')),
    goOffline: () => {
      navigator.onLine = false
    },
    goOnline: () => {
      navigator.onLine = true
      frame.dispatchEvent(new Event('online'))
    },
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.isFakeTimers() ? vi.getTimerCount() : 0).toBe(0)
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('cached reads', () => {
  test('a thousand reads of a valid token ask nobody and set no timer', async () => {
    const { source, requests } = scripted()
    await source.getToken()
    const setTimer = vi.spyOn(globalThis, 'setTimeout')
    for (let n = 0; n < 1000; n++) expect(await source.tokenFactory(false)).toBe('wyu_1')
    for (let n = 0; n < 1000; n++) expect(await source.getToken()).toBe('wyu_1')
    expect(requests).toHaveLength(1)
    expect(setTimer).not.toHaveBeenCalled()
    source.close()
  })
})

describe('one request', () => {
  test('is sent in the very call that needs it, so that the next caller finds it in the air', async () => {
    const { source, requests } = scripted()
    const first = source.getToken()
    expect(requests).toHaveLength(1)
    const second = source.getToken()
    expect(requests).toHaveLength(1)
    expect(await Promise.all([first, second])).toEqual(['wyu_1', 'wyu_1'])
    source.close()
  })

  test('answers a stampede at the moment of expiry', async () => {
    const { source, requests } = scripted()
    await source.getToken()
    sleep(HOUR_MS)
    const tokens = await Promise.all(Array.from({ length: 50 }, () => source.getToken()))
    expect(new Set(tokens)).toEqual(new Set(['wyu_2']))
    expect(requests).toHaveLength(2)
    source.close()
  })

  test.each(['before', 'after'])('answers a refusal in the tick of the alarm, just %s it', async (order) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { source, broker, requests } = scripted({ refreshAheadMs: 60_000 })
    const { answer, given } = byHand()
    let refreshed: Promise<string> | undefined
    const refuse = () =>
      setTimeout(() => {
        refreshed = source.getToken({ rejected: 'wyu_1' })
      }, HOUR_MS - 60_000)
    if (order === 'before') refuse()
    await source.getToken()
    if (order === 'after') refuse()
    broker.answer = answer
    await vi.advanceTimersByTimeAsync(HOUR_MS - 60_000)
    expect(given).toHaveLength(1)
    given[0]?.({ access_token: 'wyu_2', expires_in: 3600 })
    expect(await refreshed).toBe('wyu_2')
    expect(requests).toHaveLength(2)
    source.close()
  })

  test('serves consumers with a factory each, and all that refuse the same token', async () => {
    const { source, requests } = scripted()
    const factories = Array.from({ length: 5 }, source.createTokenFactory)
    expect(await Promise.all(factories.map((factory) => factory(false)))).toEqual(Array(5).fill('wyu_1'))
    expect(requests).toHaveLength(1)
    expect(await Promise.all(factories.map((factory) => factory(true)))).toEqual(Array(5).fill('wyu_2'))
    expect(requests.map(({ refresh }) => refresh)).toEqual([false, true])
    source.close()
  })

  test('that everybody left may answer late: it does not overwrite a newer token', async () => {
    const { source, broker } = scripted()
    const { answer, given } = byHand()
    broker.answer = answer
    const leave = new AbortController()
    const left = source.getToken({ signal: leave.signal }).catch((reason) => reason)
    leave.abort('left')
    expect(await left).toBe('left')
    const newer = source.getToken()
    expect(given).toHaveLength(2)
    given[1]?.({ access_token: 'wyu_newer', expires_in: 3600 })
    expect(await newer).toBe('wyu_newer')
    given[0]?.({ access_token: 'wyu_older', expires_in: 3600 })
    await vi.advanceTimersByTimeAsync(1)
    expect(await source.getToken()).toBe('wyu_newer')
    source.close()
  })

  test('that fails fails all who waited for it, and is nobody’s result afterwards', async () => {
    const { source, broker, requests } = scripted()
    broker.answer = async () => ({})
    const failed = Array.from({ length: 50 }, () => outcomeOf(source.getToken()))
    expect(new Set(await Promise.all(failed))).toEqual(new Set(['bad_response']))
    expect(requests).toHaveLength(1)
    broker.answer = broker.good
    await vi.advanceTimersByTimeAsync(2000)
    const served = Array.from({ length: 50 }, () => source.getToken())
    expect(new Set(await Promise.all(served))).toEqual(new Set(['wyu_2']))
    expect(requests).toHaveLength(2)
    source.close()
  })
})

describe('after sleep', () => {
  test('becoming visible asks at once: no timer has rung, and nobody has called', async () => {
    const page = stubPage()
    const { source, requests } = scripted()
    await source.getToken()
    sleep(2 * HOUR_MS)
    page.show()
    expect(requests).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(0)
    expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_2' })
    source.close()
  })

  test('the first failure is retried within two seconds, and nobody has to call', async () => {
    const page = stubPage()
    const { source, broker } = scripted()
    await source.getToken()
    broker.answer = unreachable
    sleep(2 * HOUR_MS)
    page.show()
    await vi.advanceTimersByTimeAsync(0)
    expect(source.getState()).toMatchObject({ status: 'failed', error: { code: 'unreachable' } })
    broker.answer = broker.good
    await vi.advanceTimersByTimeAsync(2000)
    expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_3' })
    source.close()
  })

  test('becoming visible with a fresh token asks nobody and tells nobody', async () => {
    const page = stubPage()
    const { source, requests } = scripted()
    await source.getToken()
    const state = source.getState()
    const listener = vi.fn()
    source.subscribe(listener)
    for (let n = 0; n < 20; n++) page.show()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(requests).toHaveLength(1)
    expect(listener).not.toHaveBeenCalled()
    expect(source.getState()).toBe(state)
    source.close()
  })
})

describe('timers', () => {
  test.each([30 * 86_400, 315_360_000, 1e20])('a life of %d s overflows none', async (lifetime) => {
    vi.useRealTimers()
    const warning = vi.fn()
    process.on('warning', warning)
    const setTimer = vi.spyOn(globalThis, 'setTimeout')
    const { source, requests } = scripted({}, lifetime)
    await source.getToken()
    await new Promise((resolve) => setImmediate(resolve))
    expect(setTimer.mock.calls.map(([, ms]) => ms)).toContain(2 ** 31 - 1)
    expect(requests).toHaveLength(1)
    expect(warning).not.toHaveBeenCalled()
    source.close()
    process.off('warning', warning)
  })

  test('pages that got their token together do not come back together', async () => {
    let draw = 0
    vi.spyOn(Math, 'random').mockImplementation(() => {
      draw = (draw + 0.618034) % 1
      return draw
    })
    const perSecond = new Map<number, number>()
    const pages = Array.from({ length: 300 }, () =>
      createTokenSource({
        fetchToken: async () => {
          const second = Math.floor(performance.now() / 1000)
          perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
          return { access_token: 'wyu_x', expires_in: 3600 }
        },
      }),
    )
    await Promise.all(pages.map(({ getToken }) => getToken()))
    perSecond.clear()
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    for (const { close } of pages) close()
    expect([...perSecond.values()].reduce((sum, n) => sum + n)).toBe(300)
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(15)
  })
})

describe('clocks', () => {
  test('an answer that was suspended for three hours is expired on arrival, and asked for again', async () => {
    const { source, broker, requests } = scripted()
    const { answer, given } = byHand()
    broker.answer = answer
    const token = source.getToken()
    sleep(3 * HOUR_MS)
    broker.answer = broker.good
    given[0]?.({ access_token: 'wyu_old', expires_in: 3600 })
    expect(await token).toBe('wyu_2')
    expect(requests.map(({ refresh }) => refresh)).toEqual([false, true])
    source.close()
  })

  test.each([-HOUR_MS, HOUR_MS])(
    'a machine that is wrong by %d ms uses a token for all its life, and one refusal heals it',
    async (skew) => {
      vi.setSystemTime(Date.now() + skew)
      const { source, requests } = scripted()
      await source.getToken()
      await vi.advanceTimersByTimeAsync(HOUR_MS - 61_000)
      expect(await source.getToken()).toBe('wyu_1')
      expect(requests).toHaveLength(1)
      expect(await source.getToken({ rejected: 'wyu_1' })).toBe('wyu_2')
      expect(requests).toHaveLength(2)
      source.close()
    },
  )

  test('a wall clock that is set a day ahead costs one request, and no loop', async () => {
    const { source, requests } = scripted()
    await source.getToken()
    vi.setSystemTime(Date.now() + 24 * HOUR_MS)
    for (let second = 0; second < 600; second++) {
      expect(await source.getToken()).toBe('wyu_2')
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(requests).toHaveLength(2)
    source.close()
  })

  test('what a token says of itself is not read', async () => {
    const { source, broker } = scripted()
    const claims = btoa(JSON.stringify({ iat: Date.now() / 1000 + 86_400, exp: 1 }))
    broker.answer = async () => ({ access_token: `wyu_e30.${claims}.x`, expires_in: 3600 })
    expect(await source.getToken()).toContain(claims)
    await vi.advanceTimersByTimeAsync(HOUR_MS / 2)
    expect(source.getState()).toMatchObject({ status: 'ready' })
    source.close()
  })
})

describe('outages', () => {
  test('offline, a valid token is served on', async () => {
    const page = stubPage()
    const { source, broker, requests } = scripted()
    await source.getToken()
    page.goOffline()
    broker.answer = unreachable
    await vi.advanceTimersByTimeAsync(HOUR_MS - 1000)
    expect(requests.length).toBeGreaterThan(1)
    expect(await source.getToken()).toBe('wyu_1')
    expect(source.getState()).toMatchObject({ status: 'stale', token: 'wyu_1', error: { code: 'offline' } })
    source.close()
  })

  test('offline, nobody is kept waiting and nothing is sent unasked, until the page is online', async () => {
    const page = stubPage()
    const { source, broker, requests } = scripted()
    page.goOffline()
    broker.answer = unreachable
    expect(await outcomeOf(source.getToken())).toBe('offline')
    expect(source.getState()).toMatchObject({ status: 'failed', error: { code: 'offline' } })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(requests).toHaveLength(1)
    broker.answer = broker.good
    page.goOnline()
    expect(requests).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(0)
    expect(source.getState()).toMatchObject({ status: 'ready', token: 'wyu_2' })
    source.close()
  })

  test('a failed refresh frees the slot: becoming visible asks again at once', async () => {
    const page = stubPage()
    const { source, broker, requests } = scripted()
    await source.getToken()
    broker.answer = unreachable
    const refreshed = source.getToken({ rejected: 'wyu_1' })
    await vi.advanceTimersByTimeAsync(0)
    expect(requests).toHaveLength(2)
    broker.answer = broker.good
    page.show()
    expect(requests).toHaveLength(3)
    expect(await refreshed).toBe('wyu_3')
    source.close()
  })

  test('a refused token that cannot be replaced is reported after maxWaitMs, not at its expiry', async () => {
    const { source, broker } = scripted({ maxWaitMs: 5000 })
    await source.getToken()
    broker.answer = unreachable
    const refreshed = outcomeOf(source.getToken({ rejected: 'wyu_1' }))
    await vi.advanceTimersByTimeAsync(5000)
    expect(await Promise.race([refreshed, 'waiting'])).toBe('unreachable')
    source.close()
  })

  test('a request that hangs fails all its waiters, and the next call asks again', async () => {
    const { source, broker, requests } = scripted({ timeoutMs: 1000, maxWaitMs: 1000 })
    const { answer } = byHand()
    broker.answer = answer
    const waiting = Array.from({ length: 20 }, () => outcomeOf(source.getToken()))
    await vi.advanceTimersByTimeAsync(1000)
    expect(await Promise.all(waiting)).toEqual(Array(20).fill('timeout'))
    expect(requests[0]?.signal.aborted).toBe(true)
    broker.answer = broker.good
    const next = source.getToken()
    await vi.advanceTimersByTimeAsync(1000)
    expect(await next).toBe('wyu_2')
    source.close()
  })

  test.each([
    ['no answer', undefined],
    ['null', null],
    ['no token', {}],
    ['an empty token', { access_token: '', expires_in: 3600 }],
    ['a null token', { access_token: null, expires_in: 3600 }],
  ])('%s is a typed error, never an empty token', async (_, answer) => {
    const { source, broker } = scripted()
    const states: unknown[] = []
    source.subscribe((state) => states.push(state))
    broker.answer = async () => answer
    expect(await outcomeOf(source.getToken())).toBe('bad_response')
    expect(states).toMatchObject([{ status: 'fetching' }, { status: 'failed' }])
    source.close()
  })

  test('a Retry-After of 429 holds for callers and in the background', async () => {
    const { source, broker, requests } = scripted({ refreshAheadMs: 120_000 })
    await source.getToken()
    broker.answer = async () => {
      throw new TokenError('rate_limited', 'busy', { status: 429, retryAfterMs: 30_000 })
    }
    while (requests.length === 1) await vi.advanceTimersByTimeAsync(100)
    for (let n = 0; n < 59; n++) {
      expect(await source.getToken()).toBe('wyu_1')
      await vi.advanceTimersByTimeAsync(500)
    }
    const waiting = [source.getToken({ rejected: 'wyu_1' }), source.getToken()].map(outcomeOf)
    expect(requests).toHaveLength(2)
    broker.answer = broker.good
    await vi.advanceTimersByTimeAsync(4000)
    expect(await Promise.all(waiting)).toEqual(['wyu_3', 'wyu_3'])
    source.close()
  })

  test('calls one after the other add nothing to the retries, and get the token that is still valid', async () => {
    const { source, broker, requests } = scripted()
    await source.getToken()
    broker.answer = async () => ({})
    while (requests.length === 1) await vi.advanceTimersByTimeAsync(100)
    for (let n = 0; n < 1000; n++) expect(await source.getToken()).toBe('wyu_1')
    expect(requests).toHaveLength(2)
    source.close()
  })

  test('304 is a failure, not the old token again', async () => {
    const fetch = vi.fn(async () => new Response(null, { status: 304 }))
    const { source } = scripted({ fetchToken: undefined, tokenUrl: 'https://broker.example/token', fetch })
    await expect(source.getToken()).rejects.toMatchObject({ code: 'broker_error', status: 304 })
    expect(fetch).toHaveBeenCalledTimes(1)
    source.close()
  })
})

describe('the page around it', () => {
  let code = ''

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: ['src/index.ts'],
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'core',
      platform: 'browser',
      define: { 'process.env.NODE_ENV': '"production"' },
    })
    code = outputFiles[0]?.text ?? ''
  })

  test('hears of no token: nothing is stored, posted, broadcast or locked', async () => {
    const touched: string[] = []
    const trap = (name: string) =>
      new Proxy(() => {}, {
        get: (_, key) => touched.push(`${name}.${String(key)}`),
        set: (_, key) => touched.push(`${name}.${String(key)}`) > 0,
        apply: () => touched.push(name),
        construct: () => ({ touched: touched.push(name) }),
      })
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches', 'cookieStore'])
      vi.stubGlobal(name, trap(name))
    for (const name of ['BroadcastChannel', 'Worker', 'SharedWorker', 'postMessage'])
      vi.stubGlobal(name, trap(name))
    const page = stubPage()
    vi.stubGlobal('navigator', { onLine: true, locks: trap('locks'), serviceWorker: trap('serviceWorker') })
    const { source, requests } = scripted({ user: 'a' })
    await source.getToken({ rejected: await source.getToken() })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    page.show()
    page.goOnline()
    source.setUser('b')
    await source.getToken()
    source.close()
    expect(requests.length).toBeGreaterThanOrEqual(4)
    expect(touched).toEqual([])
  })

  test('may forbid eval, workers and blobs: the code has none', () => {
    const forbidden =
      /\b(eval|Function|Worker|SharedWorker|Blob|createObjectURL|importScripts|document\.write)\s*\(/g
    expect(code).toContain('createTokenSource')
    expect(code.match(forbidden)).toBeNull()
  })

  test('is not touched by an import, and no timer is left', () => {
    const touched: string[] = []
    const bystanders = {}
    for (const name of ['document', 'navigator', 'location', 'localStorage', 'addEventListener', 'fetch'])
      Object.defineProperty(bystanders, name, { get: () => touched.push(name) })
    for (const name of ['setTimeout', 'setInterval', 'queueMicrotask', 'reportError', 'console'])
      Object.defineProperty(bystanders, name, { get: () => touched.push(name) })
    const context = createContext(bystanders)
    const before = runInContext('Object.keys(globalThis)', context)
    runInContext(`${code}; this.core = core`, context)
    expect(touched).toEqual([])
    expect(runInContext('typeof core.createTokenSource', context)).toBe('function')
    expect(runInContext('Object.keys(globalThis)', context)).toEqual([...before, 'core'])
  })
})

describe('the catalogue', () => {
  const rows = readFileSync('docs/failure-catalogue.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| (\[|—)/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '')))

  /** Titles as the file spells them, after those of the groups around them. */
  const titlesOf = (file: string): Set<string> => {
    const titles = new Set<string>()
    const visit = (node: ts.Node, groups: readonly string[]) => {
      let path = groups
      const title = ts.isCallExpression(node) && node.arguments[0]
      if (title && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) {
        const callee = /^(test|it|describe)\b/.exec(node.expression.getText())?.[1]
        if (callee) path = [...groups, title.getText().slice(1, -1)]
        if (callee && callee !== 'describe') titles.add(path.join(' › '))
      }
      ts.forEachChild(node, (child) => visit(child, path))
    }
    visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true), [])
    return titles
  }

  test('answers every entry, with tests that exist or with a reason', () => {
    expect(rows.length).toBeGreaterThanOrEqual(87)
    const titles = new Map<string, Set<string>>()
    const named: string[] = []
    const missing: string[] = []
    for (const [thread = '', bug = '', answer = ''] of rows) {
      expect(bug).not.toBe('')
      for (const [, name, link] of thread.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g))
        expect(link).toBe(`https://github.com/${name?.replace('#', '/issues/')}`)
      const quotes = [...answer.matchAll(/“([^”]+)” \(\[([^\]]+)\]\(\.\.\/([^)]+)\)\)/g)]
      if (!quotes.length) expect(answer).toMatch(/^(Does not apply|Not a test): ./)
      for (const [, title = '', name, file = ''] of quotes) {
        expect(file).toBe(`test/${name}`)
        if (!titles.has(file)) titles.set(file, titlesOf(file))
        named.push(title)
        if (!titles.get(file)?.has(title)) missing.push(`${file}: ${title}`)
      }
    }
    expect(missing).toEqual([])
    expect(named.length).toBeGreaterThan(70)
  })
})
