import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { createWorld } from '../../demo/stand-in/world.js'
import { ENGINES, type Engine, type EnginePage, startEngine } from '../engines.js'
import { type Consumer, createConsumer, root } from './consumer.js'

let consumer: Consumer
beforeAll(async () => {
  consumer = await createConsumer()
}, 60_000)
afterAll(() => consumer.remove())

type Files = Record<string, string>

/** A built file, and whatever it imports by a relative path. */
async function filesOf(name: string): Promise<Files> {
  const code = await consumer.read(`node_modules/weavy-token/dist/${name}`)
  const imported = [...code.matchAll(/^.* from ["']\.\/([\w-]+\.js)["'];?$/gm)].map(([, file = '']) =>
    filesOf(file),
  )
  return Object.assign({ [`/${name}`]: code }, ...(await Promise.all(imported)))
}

/** Serves a page whose policy is enforced, and an app around it. */
async function serve(
  app: Hono,
  policy: string,
  files: Files,
  { head = '', type = 'text/javascript' } = {},
): Promise<string> {
  const javascript = { 'Content-Type': 'text/javascript; charset=utf-8' }
  for (const [path, code] of Object.entries(files)) app.get(path, (c) => c.body(code, 200, javascript))
  app.get('/complaints.js', (c) => c.body(COMPLAINTS, 200, javascript))
  const scripts = Object.keys(files).map((path) => `<script type="${type}" src="${path}"></script>`)
  const html = `<!doctype html><meta charset="utf-8"><title>A page without a bundler</title><script src="/complaints.js"></script>${head}<body>${scripts.join('')}`
  app.get('/favicon.ico', (c) => c.body(null, 204))
  app.get('/', (c) => c.html(html, 200, { 'Content-Security-Policy': policy }))
  const server = await listen(app.fetch)
  onTestFinished(server.close)
  return server.url
}

/** Collects whatever the page complains of: violations of its policy, errors, console output. */
const COMPLAINTS = `
  var complaints = []
  addEventListener('error', (event) => complaints.push(event.message))
  addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)))
  document.addEventListener('securitypolicyviolation', (event) =>
    complaints.push('Content Security Policy: ' + event.effectiveDirective + ' ' + event.blockedURI))
  for (const level of ['log', 'info', 'warn', 'error', 'debug'])
    console[level] = (...args) => complaints.push(level + ': ' + args.join(' '))`

async function open(engine: Engine, url: string): Promise<EnginePage> {
  const page = await engine.open(url)
  onTestFinished(() => page.close())
  return page
}

const complaintsOf = (page: EnginePage) => page.evaluate<string[]>('complaints')

const globalBuild = () => consumer.read('node_modules/weavy-token/dist/weavy-token.global.js')

describe.each(ENGINES)('%s', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine(name)
  }, 60_000)
  afterAll(() => engine?.close())

  test("works from a script tag and three lines under default-src 'self'", async () => {
    let issued = 0
    const app = new Hono()
    app.get('/api/token', (c) => c.json({ access_token: `wyu_${++issued}`, expires_in: 3600 }))
    app.get('/api/user', (c) =>
      c.text(
        c.req.header('authorization') ?? '',
        c.req.header('authorization') === 'Bearer wyu_1' ? 401 : 200,
      ),
    )
    const url = await serve(app, "default-src 'self'", {
      '/weavy-token.global.js': await globalBuild(),
      '/page.js': `
        const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
        const weavyFetch = WeavyToken.createAuthorizedFetch(source, { weavyUrl: location.origin })
        var answer = weavyFetch('/api/user').then((response) => response.text())
        // Later, because an automated browser may do more while it evaluates.
        var evaluate = () => new Promise((resolve) => {
          setTimeout(resolve, 500)
          document.addEventListener('securitypolicyviolation', () => setTimeout(resolve))
          setTimeout(() => new Function('return 1')())
        })`,
    })
    const page = await open(engine, url)
    expect(await page.evaluate('answer')).toBe('Bearer wyu_2')
    expect(issued).toBe(2)
    expect(await page.evaluate('Object.keys(WeavyToken).sort().join()')).toBe(
      'TokenError,connectWeavy,createAuthorizedFetch,createTokenSource,isTokenError',
    )
    expect(await complaintsOf(page)).toEqual([])
    // The policy is in force.
    await page.evaluate('evaluate()')
    expect(await complaintsOf(page)).toContainEqual('Content Security Policy: script-src eval')
  }, 60_000)

  test.each([
    ['as a module script', ''],
    ['from an import map', '<script type="importmap">{ "imports": { "weavy-token": "/index.js" } }</script>'],
  ])(
    'works %s, without a bundler',
    async (_, importMap) => {
      const app = new Hono()
      app.get('/api/token', (c) => c.json({ access_token: 'wyu_1', expires_in: 3600 }))
      const url = await serve(
        app,
        "default-src 'self' 'unsafe-inline'",
        importMap
          ? {
              ...(await filesOf('index.js')),
              '/page.js': `
              import { createTokenSource } from 'weavy-token'
              globalThis.answer = createTokenSource({ tokenUrl: '/api/token' }).getToken()`,
            }
          : {
              '/weavy-token.global.js': await globalBuild(),
              '/page.js': `globalThis.answer = WeavyToken.createTokenSource({ tokenUrl: '/api/token' }).getToken()`,
            },
        { head: importMap, type: 'module' },
      )
      const page = await open(engine, url)
      expect(await page.evaluate('answer')).toBe('wyu_1')
      expect(await complaintsOf(page)).toEqual([])
    },
    60_000,
  )

  test("stands beside Weavy's own script", async () => {
    const uikit = readFileSync(`${root}node_modules/@weavy/uikit-web/dist/build/weavy.js`, 'utf8')
    const app = new Hono()
    const world = await createWorld({ allowedOrigins: [] })
    onTestFinished(world.close)
    app.get('/api/token', async (c) => world.broker.fetch(c.req.raw))
    const weavy = new URL(world.weavy.url)
    const policy = `default-src 'self' ${weavy.origin}; img-src * data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' ${weavy.origin} ws://${weavy.host}`
    const url = await serve(app, policy, {
      '/weavy.js': uikit,
      '/weavy-token.global.js': await globalBuild(),
      '/page.js': `
        var source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
        var weavy = new WeavyLib.Weavy()
        weavy.url = '${world.weavy.url}'
        WeavyToken.connectWeavy(source, weavy)
        document.body.append(document.createElement('wy-messenger'))
        var get = (path) => weavy.fetch(path).then((response) => response.status)`,
    })
    const page = await open(engine, url)
    expect(await page.evaluate("get('/api/user?first')")).toBe(200)
    world.weavy.revokeAll()
    expect(await page.evaluate("get('/api/user?second')")).toBe(200)
    expect(world.broker.requests.filter(({ refresh }) => refresh)).toHaveLength(1)
    const complaints = await complaintsOf(page)
    expect(complaints.filter((complaint) => complaint.startsWith('Content Security Policy'))).toEqual([])
  }, 60_000)

  test('sends no token along when Weavy redirects to another origin', async () => {
    const other = new Hono()
    // Firefox asks first even so.
    other.use(cors({ origin: '*' }))
    other.get('/file', (c) => c.text(`token: ${c.req.header('authorization') ?? 'none'}`))
    const elsewhere = await listen(other.fetch)
    onTestFinished(elsewhere.close)
    const app = new Hono()
    app.get('/api/token', (c) => c.json({ access_token: 'wyu_1', expires_in: 3600 }))
    app.get('/api/files/1', (c) =>
      c.redirect(c.req.header('authorization') ? `${elsewhere.url}/file` : '/api/refused'),
    )
    const url = await serve(app, "default-src 'self'; connect-src *", {
      '/weavy-token.global.js': await globalBuild(),
      '/page.js': `
        const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token' })
        const weavyFetch = WeavyToken.createAuthorizedFetch(source, { weavyUrl: location.origin })
        var answer = weavyFetch('/api/files/1').then((response) => response.text())`,
    })
    const page = await open(engine, url)
    expect(await page.evaluate('answer')).toBe('token: none')
  }, 60_000)
})
