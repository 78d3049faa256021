import { Weavy } from '@weavy/uikit-web'
import { expect, test, vi } from 'vitest'
import { connectWeavy, createTokenSource } from 'weavy-token'
import { messenger, type World } from './instances.js'
import { every, refusedForToken, startWorld } from './world.js'

const LIFETIME_S = 12
/** As in the tests of React: early, and not before the second half of a life. */
const REFRESH_AHEAD_MS = 4500
const EXPIRIES = 4

/** Three instances on one page, a messenger among them, that ask Weavy all the time over that many expiries. */
async function live(world: World, weavys: Weavy[], expiries: number) {
  for (const weavy of weavys) world.defer(() => weavy.destroy())
  messenger(world)
  await every(100, (expiries + 0.5) * LIFETIME_S * 1000, async (n) => {
    const weavy = weavys[n % weavys.length] as Weavy
    const response = await weavy.fetch(`/api/user?n=${n}`)
    expect(response.status).toBe(200)
  })
}

test('three connected instances send no refused request over four expiries, with one broker request per token', async () => {
  await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
  const logged = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) => vi.spyOn(console, level))
  const source = createTokenSource({ tokenUrl: world.tokenUrl, refreshAheadMs: REFRESH_AHEAD_MS })
  world.defer(source.close)
  const tokens = new Set<string>()
  source.subscribe((state) => {
    if (state.status === 'ready') tokens.add(state.token)
  })
  const weavys = [1, 2, 3].map(() => new Weavy({ url: world.weavyUrl }))
  for (const weavy of weavys) connectWeavy(source, weavy)

  await live(world, weavys, EXPIRIES)

  // A token may be on its way just now.
  const report = await vi.waitFor(
    async () => {
      const report = await world.look()
      expect(report.broker).toHaveLength(tokens.size)
      return report
    },
    { timeout: 3000 },
  )
  expect(refusedForToken(report)).toEqual([])
  expect(tokens.size).toBeGreaterThan(EXPIRIES)
  expect(report.hubUsers).not.toEqual([])
  await expectNoToken(logged.flatMap((spy) => spy.mock.calls))
})

test('the built-in tokenUrl of the UIKit is refused at every expiry, in the same run', async () => {
  await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
  const weavys = [1, 2, 3].map(() => new Weavy({ url: world.weavyUrl, tokenUrl: world.tokenUrl }))

  await live(world, weavys, 2)

  expect(refusedForToken(await world.look()).length).toBeGreaterThanOrEqual(2)
})

/** Looks for a user token wherever a page can keep one. */
async function expectNoToken(logged: unknown[][]) {
  const databases = await indexedDB.databases()
  const cacheNames = await caches.keys()
  const globals = Object.getOwnPropertyNames(window)
    .filter((name) => !name.startsWith('__vitest'))
    .map((name) => {
      try {
        return JSON.stringify(Reflect.get(window, name)) ?? String(Reflect.get(window, name))
      } catch {
        return ''
      }
    })
  const places = {
    localStorage: JSON.stringify({ ...localStorage }),
    sessionStorage: JSON.stringify({ ...sessionStorage }),
    cookies: document.cookie,
    databases: JSON.stringify(databases),
    caches: JSON.stringify(cacheNames),
    dom: document.documentElement.outerHTML,
    console: logged.map((line) => line.map(String).join(' ')).join('\n'),
    globals: globals.join('\n'),
  }
  for (const [place, content] of Object.entries(places)) expect(content, place).not.toContain('wyu_')
}
