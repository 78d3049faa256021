import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { type Browser, chromium } from 'playwright'
import { listen } from '../../demo/stand-in/listen.js'
import { createWorld } from '../../demo/stand-in/world.js'
import { find } from '../../scripts/browsers.mjs'

const RUNS = 5
const BROKER_MS = 300
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const UIKIT = read('node_modules/@weavy/uikit-web/dist/build/weavy.js')
const GLOBAL_BUILD = read('dist/weavy-token.global.js')

/** When something of Weavy was answered and shown first, in milliseconds since the navigation began. */
interface Seen {
  answered: number
  shown: number
}

/** The same in both pages, and before anything else. */
const WATCH = `
  const seen = {}
  const send = window.fetch
  window.fetch = async (...args) => {
    const response = await send(...args)
    if (response.ok && new URL(response.url).pathname.startsWith('/api/') && response.url.startsWith(WEAVY))
      seen.answered ??= performance.now()
    return response
  }
  const textOf = (node) => node.nodeType === Node.TEXT_NODE ? node.data
    : [...node.childNodes, ...(node.shadowRoot?.childNodes ?? [])].map(textOf).join(' ')
  const look = () => {
    if (document.body && textOf(document.body).includes('Welcome, Alice')) seen.shown ??= performance.now()
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)`

const UIKIT_TAG = '<script src="/weavy.js"></script>'

/** Two pages that an app could be. */
const WAYS = {
  'built-in `tokenUrl`': `${UIKIT_TAG}
    <script>new WeavyLib.Weavy({ url: WEAVY, tokenUrl: TOKEN })</script>`,
  connected: `<script src="/weavy-token.global.js"></script>
    <script>
      const source = WeavyToken.createTokenSource({ tokenUrl: TOKEN, user: 'alice' })
      source.getToken()
    </script>
    ${UIKIT_TAG}
    <script>WeavyToken.connectWeavy(source, new WeavyLib.Weavy({ url: WEAVY }))</script>`,
}

/** One visit of a browser that has never been there. */
async function visit(browser: Browser, way: string): Promise<Seen> {
  let html = ''
  const javascript = { 'Content-Type': 'text/javascript; charset=utf-8' }
  const app = new Hono()
    .get('/', (c) => c.html(html))
    .get('/weavy.js', (c) => c.body(UIKIT, 200, javascript))
    .get('/weavy-token.global.js', (c) => c.body(GLOBAL_BUILD, 200, javascript))
  const server = await listen(app.fetch)
  const world = await createWorld({ allowedOrigins: [server.url] })
  world.broker.fault = { kind: 'slow', ms: BROKER_MS }
  const addresses = `const WEAVY = '${world.weavy.url}', TOKEN = '${world.tokenUrl}'`
  html = `<!doctype html><meta charset="utf-8"><title>A visit</title>
    <script>${addresses}\n${WATCH}</script>${way}<wy-messenger></wy-messenger>`

  const context = await browser.newContext()
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true })
  await page.goto(server.url)
  await page.waitForFunction('seen.answered && seen.shown')
  const seen = await page.evaluate<Seen>('seen')
  await context.close()
  await Promise.all([world.close(), server.close()])
  return seen
}

const median = (figures: number[]) => Math.round(figures.sort((a, b) => a - b)[figures.length >> 1] ?? 0)

const browser = await chromium.launch({
  executablePath: find('chromium')?.path ?? '',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const ways = Object.values(WAYS)
const visits = ways.map((): Seen[] => [])
// The first round warms the files and the programs, and does not count.
for (let run = 0; run <= RUNS; run++)
  for (const [n, way] of ways.entries()) {
    const seen = await visit(browser, way)
    if (run > 0) visits[n]?.push(seen)
  }
await browser.close()

console.log(`
| cold start, broker ${BROKER_MS} ms, ms from the navigation to (median of ${RUNS}) | ${Object.keys(WAYS).join(' | ')} |
|---|${'---:|'.repeat(ways.length)}`)
for (const [what, name] of [
  ['answered', 'the first answered request'],
  ['shown', 'the first conversation shown'],
] as const)
  console.log(`| ${name} | ${visits.map((all) => median(all.map((seen) => seen[what]))).join(' | ')} |`)
