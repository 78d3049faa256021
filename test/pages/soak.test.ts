import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { type CDPSession, chromium, type Page } from 'playwright'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { createStandInWeavy } from '../../demo/stand-in/weavy.js'
import { find } from '../../scripts/browsers.mjs'

const GLOBAL_BUILD = new URL('../../dist/weavy-token.global.js', import.meta.url)
const UIKIT = new URL('../../node_modules/@weavy/uikit-web/dist/build/weavy.js', import.meta.url)

const HOUR_MS = 3_600_000
const LIFETIME_S = 600
/** What a heap may differ by from one look to the next, seen on a page that does nothing. */
const HEAP_NOISE_BYTES = 300_000

const script = (weavyUrl: string) => `
  /** Every timer that is set, with the instant at which it is due. */
  const timers = new Map()
  const { setTimeout: later, clearTimeout: notLater, setInterval: every, clearInterval: noMore, fetch: send } = window
  window.setTimeout = (task, ms = 0, ...args) => {
    const id = later(() => { timers.delete(id); task(...args) }, ms)
    timers.set(id, Date.now() + ms)
    return id
  }
  window.clearTimeout = (id) => { timers.delete(id); notLater(id) }
  window.setInterval = (task, ms, ...args) => {
    const id = every(() => { timers.set(id, Date.now() + ms); task(...args) }, ms)
    timers.set(id, Date.now() + ms)
    return id
  }
  window.clearInterval = (id) => { timers.delete(id); noMore(id) }
  const untilNextTimer = () => Math.max(1, Math.min(...timers.values()) - Date.now())

  let inTheAir = 0
  window.fetch = (...args) => { inTheAir += 1; return send(...args).finally(() => { inTheAir -= 1 }) }
  /** Seconds of servers are real ones, so the clock of the page stands still for them. */
  const idle = async () => { while (inTheAir) await send('/favicon.ico', { cache: 'no-store' }) }

  const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
  const weavy = new WeavyLib.Weavy()
  weavy.url = '${weavyUrl}'
  WeavyToken.connectWeavy(source, weavy)
  const weavyFetch = WeavyToken.createAuthorizedFetch(source, { weavyUrl: '${weavyUrl}' })
  source.subscribe(() => {})
  const get = async (n) => [(await weavy.fetch('/api/user?n=' + n)).status, (await weavyFetch('/api/user?m=' + n)).status]`

/** A page with all that an app has but a user, and both of its servers. */
async function openPage() {
  const weavy = await createStandInWeavy()
  onTestFinished(weavy.close)
  let issued = 0
  const app = new Hono()
  const javascript = { 'Content-Type': 'text/javascript; charset=utf-8' }
  const files = {
    '/weavy.js': readFileSync(UIKIT, 'utf8'),
    '/weavy-token.global.js': readFileSync(GLOBAL_BUILD, 'utf8'),
    '/page.js': script(weavy.url),
  }
  for (const [path, code] of Object.entries(files)) app.get(path, (c) => c.body(code, 200, javascript))
  const tags = Object.keys(files).map((path) => `<script src="${path}"></script>`)
  app.get('/', (c) => c.html(`<!doctype html><meta charset="utf-8"><title>A day</title>${tags.join('')}`))
  app.get('/favicon.ico', (c) => c.body(null, 204))
  // The clock of this page runs ahead of every server's, so a broker that keeps tokens would find its own still young.
  app.get('/api/token', async () => {
    issued += 1
    return fetch(`${weavy.url}/api/users/alice/tokens`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${weavy.apiKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ expires_in: LIFETIME_S }),
    })
  })
  const server = await listen(app.fetch)
  onTestFinished(server.close)
  const browser = await chromium.launch({
    executablePath: find('chromium')?.path ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  await page.clock.install()
  await page.goto(server.url)
  return { page, issued: () => issued }
}

/** What a page holds on to, after its garbage was collected. */
async function look(page: Page, cdp: CDPSession) {
  for (let n = 0; n < 3; n++) await cdp.send('HeapProfiler.collectGarbage')
  const { jsEventListeners, nodes } = await cdp.send('Memory.getDOMCounters')
  const { usedSize } = await cdp.send('Runtime.getHeapUsage')
  return { listeners: jsEventListeners, nodes, timers: await page.evaluate<number>('timers.size'), usedSize }
}

test('after a day of rotations listeners, timers and heap are what they were after its first hour', async () => {
  const { page, issued } = await openPage()
  const cdp = await page.context().newCDPSession(page)
  /** From timer to timer, because a request that the clock runs past would be given up. */
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; ) {
      const step = Math.min(left, await page.evaluate<number>('untilNextTimer()'))
      await page.clock.runFor(step)
      await page.evaluate('idle()')
      left -= step
    }
  }
  const anHour = async (hour: number) => {
    for (let part = 0; part < 12; part++) {
      await advance(HOUR_MS / 12)
      expect(await page.evaluate(`get('${hour}.${part}')`)).toEqual([200, 200])
    }
  }

  await anHour(0)
  const first = await look(page, cdp)
  const begun = issued()
  for (let hour = 1; hour < 24; hour++) await anHour(hour)
  const last = await look(page, cdp)

  // One for each rotation, which comes in the last tenth of a life.
  const rotations = issued() - begun
  expect(rotations).toBeGreaterThanOrEqual((23 * 3600) / LIFETIME_S)
  expect(rotations).toBeLessThanOrEqual((23 * 3600) / (0.9 * LIFETIME_S) + 1)
  expect({ ...last, usedSize: 0 }).toEqual({ ...first, usedSize: 0 })
  expect(last.usedSize - first.usedSize).toBeLessThan(HEAP_NOISE_BYTES)
}, 180_000)
