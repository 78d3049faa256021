import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { ENGINES, startEngine } from '../engines.js'

const GLOBAL_BUILD = new URL('../../dist/weavy-token.global.js', import.meta.url)
const PAGE = '<!doctype html><title>An app</title><script src="/weavy-token.global.js"></script>'
const ASK = `WeavyToken.createTokenSource({ tokenUrl: '/api/token' }).getToken().then(
  () => 'a token', (error) => error.code)`

/** An app behind a proxy that sends whoever is signed out to another origin, which knows nothing of CORS. */
async function site() {
  let asked = 0
  const elsewhere = await listen(
    () => new Response('<h1>Sign in</h1>', { headers: { 'Content-Type': 'text/html' } }),
  )
  const app = new Hono()
  app.get('/', (c) => c.html(PAGE))
  app.get('/weavy-token.global.js', (c) =>
    c.body(readFileSync(GLOBAL_BUILD, 'utf8'), 200, { 'Content-Type': 'text/javascript' }),
  )
  app.get('/api/token', (c) => {
    asked += 1
    return c.redirect(`${elsewhere.url}/sign-in`)
  })
  const server = await listen(app.fetch)
  onTestFinished(async () => {
    await server.close()
    await elsewhere.close()
  })
  return { url: server.url, asked: () => asked }
}

describe.each(ENGINES)('%s', (name) => {
  test('a session that ended behind a redirect to a sign-in page of another origin is signed_out, at once', async () => {
    const { url, asked } = await site()
    const engine = await startEngine(name)
    onTestFinished(engine.close)
    const page = await engine.open(`${url}/`)
    const started = performance.now()
    expect(await page.evaluate(ASK)).toBe('signed_out')
    expect(performance.now() - started).toBeLessThan(5000)
    // The request, and the second look at it.
    expect(asked()).toBe(2)
  })
})
