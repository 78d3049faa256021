import { readFileSync } from 'node:fs'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import ts from 'typescript'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { settle } from './settle.js'
import { byScript, fakeClocks, HOUR, pass, stubPage, token, watch } from './world.js'

fakeClocks()

describe('timers', () => {
  test.each([30 * 86_400, 315_360_000, 1e20])('a life of %d s overflows none', async (lifetime) => {
    vi.useRealTimers()
    const warning = vi.fn()
    process.on('warning', warning)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { source, requests } = byScript((n) => token(n, lifetime))
    await source.getToken()
    source.getState()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warning)
    source.close()
    const delays = timers.mock.calls.map(([, ms]) => ms)
    vi.restoreAllMocks()
    vi.useFakeTimers()
    expect(delays).toContain(2 ** 31 - 1)
    expect(warning).not.toHaveBeenCalled()
    expect(requests).toHaveLength(1)
  })

  test('pages that got their token together do not come back together', async () => {
    let draw = 0
    vi.spyOn(Math, 'random').mockImplementation(() => {
      draw = (draw + 0.618034) % 1
      return draw
    })
    const perSecond = new Map<number, number>()
    const pages = Array.from({ length: 300 }, () =>
      byScript((n) => {
        const second = Math.floor(performance.now() / 1000)
        perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
        return token(n)
      }),
    )
    await Promise.all(pages.map(({ source }) => source.getToken()))
    perSecond.clear()
    await pass(HOUR)
    expect([...perSecond.values()].reduce((sum, n) => sum + n)).toBe(300)
    // Over the 30 s that jitter spreads them, 10 a second.
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(15)
  })
})

describe('answers', () => {
  test('what a token says of itself is not read', async () => {
    const claims = btoa(JSON.stringify({ iat: Date.now() / 1000 + 86_400, exp: 1 }))
    const { source, requests } = byScript(() => ({ access_token: `wyu_e30.${claims}.x`, expires_in: 3600 }))
    expect(await source.getToken()).toContain(claims)
    await pass(HOUR / 2)
    expect(source.getState()).toMatchObject({ status: 'ready' })
    expect(requests).toHaveLength(1)
  })

  test.each([
    ['no answer', undefined],
    ['null', null],
    ['no token', {}],
    ['an empty token', { access_token: '', expires_in: 3600 }],
    ['a null token', { access_token: null, expires_in: 3600 }],
  ])('%s is a typed error, never an empty token', async (_, answer) => {
    const { source, states } = byScript(() => answer)
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('bad_response')
    expect(states).toMatchObject([{ status: 'fetching' }, { status: 'failed' }])
  })

  test('304 is a failure, not the old token again', async () => {
    const fetch = vi.fn(async () => new Response(null, { status: 304 }))
    const { source } = byScript(() => {}, {
      fetchToken: undefined,
      tokenUrl: 'https://broker.example/token',
      fetch,
    })
    await expect(source.getToken()).rejects.toMatchObject({ code: 'broker_error', status: 304 })
    expect(fetch).toHaveBeenCalledTimes(1)
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
    const { source, requests } = byScript((n) => token(n), { user: 'a' })
    await source.getToken({ rejected: await source.getToken() })
    await pass(HOUR)
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
    .map((line) => line.slice(2, -2).split(' | '))

  /** Titles as the file spells them, after those of the groups around them. */
  const titlesOf = (file: string): Set<string> => {
    const titles = new Set<string>()
    const visit = (node: ts.Node, groups: readonly string[]) => {
      const title = ts.isCallExpression(node) && node.arguments[0]
      let path = groups
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

  test('answers every entry with tests that exist, or with a reason', () => {
    expect(rows.length).toBeGreaterThanOrEqual(87)
    const titles = new Map<string, Set<string>>()
    const missing: string[] = []
    for (const [, , answer = ''] of rows) {
      if (/^(Does not apply|Not a test): ./.test(answer)) continue
      const named = [...answer.matchAll(/“([^”]+)” \(\[[^\]]+\]\(\.\.\/([^)]+)\)\)/g)]
      expect(named, answer).toHaveLength(answer.split('“').length - 1)
      expect(named, answer).not.toHaveLength(0)
      for (const [, title = '', file = ''] of named) {
        const existing = titles.get(file) ?? titlesOf(file)
        titles.set(file, existing)
        if (!existing.has(title)) missing.push(`${file}: ${title}`)
      }
    }
    expect(missing).toEqual([])
  })

  test('links every thread that it names', () => {
    for (const [threads = ''] of rows)
      for (const [, name = '', link] of threads.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g))
        expect(link).toBe(`https://github.com/${name.replace('#', '/issues/')}`)
  })
})
