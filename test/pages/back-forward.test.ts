import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { type Engine, startEngine } from '../engines.js'

const GLOBAL_BUILD = new URL('../../dist/weavy-token.global.js', import.meta.url)

const PAGE = `<!doctype html><meta charset="utf-8"><title>A page with a token</title>
  <script src="/weavy-token.global.js"></script>
  <script>
    // Ahead of the source, which hears of it later then.
    addEventListener('pageshow', ({ persisted }) => persisted && show(true))
    const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
    const show = async (persisted) => {
      const token = await source.getToken()
      await fetch('/shown', { method: 'POST', body: JSON.stringify({ persisted, token }) })
    }
    show(false).then(() => {
      // A load that has not ended would be replaced instead of left.
      setTimeout(() => { location.href = '/elsewhere' }, 100)
    })
  </script>`

const ELSEWHERE = `<!doctype html><meta charset="utf-8"><title>Another page</title>
  <script>
    addEventListener('load', () => setTimeout(() => history.back(), 100))
  </script>`

/**
 * A site with two pages, where the token is for whoever is signed in. They go there and back by themselves, because not
 * every driver notices a page that comes from the cache; what they show is told to the server.
 */
async function site() {
  let user = 'alice'
  let issued = 0
  const shown: { persisted: boolean; token: string }[] = []
  const app = new Hono()
  const javascript = { 'Content-Type': 'text/javascript; charset=utf-8' }
  app.get('/weavy-token.global.js', (c) => c.body(readFileSync(GLOBAL_BUILD, 'utf8'), 200, javascript))
  app.get('/api/token', (c) => {
    issued += 1
    return c.json({ access_token: `wyu_${user}_${issued}`, expires_in: 3600 })
  })
  app.get('/favicon.ico', (c) => c.body(null, 204))
  app.get('/', (c) => c.html(PAGE))
  app.post('/shown', async (c) => {
    shown.push(await c.req.json())
    return c.body(null, 204)
  })
  app.get('/elsewhere', (c) => {
    user = 'bob'
    return c.html(ELSEWHERE)
  })
  const server = await listen(app.fetch)
  onTestFinished(server.close)
  return { url: server.url, shown, issued: () => issued }
}

// Firefox keeps no page while it is driven.
describe.each(['chromium', 'webkit'] as const)('%s', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine(name)
  }, 60_000)
  afterAll(() => engine?.close())

  test('a page with a source comes back from the back/forward cache, and asks the broker before it hands out a token', async () => {
    const { url, shown, issued } = await site()
    const page = await engine.open(`${url}/`)
    onTestFinished(() => page.close())
    await vi.waitFor(() => expect(shown).toHaveLength(2), 20_000)
    expect(shown).toEqual([
      { persisted: false, token: 'wyu_alice_1' },
      { persisted: true, token: 'wyu_bob_2' },
    ])
    expect(issued()).toBe(2)
  })
})
