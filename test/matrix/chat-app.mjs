// What every app of the matrix with a chat has to do: the messenger shows, two rotations are refused nothing, another
// user is followed, and unmounting leaves nothing. The app is looked at with the real UIKit in Chromium.
import assert from 'node:assert/strict'
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = process.env.WEAVY_TOKEN_ROOT
if (!root) throw new Error('start this by npm run test:matrix')
const load = (module) => import(pathToFileURL(join(root, 'node_modules', module)))

export const LIFETIME_S = 6
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

/** Waits until a check passes, for at most half a minute. */
export async function eventually(what, check) {
  for (const end = Date.now() + 30_000; ; await sleep(100)) {
    if (await check()) return
    assert.ok(Date.now() < end, `not seen within 30 s: ${what}`)
  }
}

/** The stand-in environment, with tokens that live for seconds. */
export async function startWeavy() {
  const { tsImport } = await load('tsx/dist/esm/api/index.mjs')
  const { createWorld } = await tsImport(join(root, 'demo/stand-in/world.ts'), import.meta.url)
  return createWorld({ allowedOrigins: [], lifetimeSeconds: LIFETIME_S })
}

/** Serves a folder, and `/api/token` by the world's broker, on one origin. Other paths are index.html. */
export async function serveFolder(folder, world, headers = {}) {
  const server = createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url, 'http://localhost')
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (pathname === '/api/token') {
      const answer = await fetch(world.tokenUrl + search)
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
      return response.end(await answer.text())
    }
    const file = join(folder, pathname)
    const found = pathname !== '/' && existsSync(file) ? file : join(folder, 'index.html')
    response.setHeader('content-type', TYPES[extname(found)] ?? 'application/octet-stream')
    createReadStream(found).pipe(response)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return `http://127.0.0.1:${server.address().port}`
}

export async function openBrowser() {
  const { chromium } = await load('playwright/index.mjs')
  return chromium.launch({
    executablePath: process.env.CHROMIUM_PATH,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
}

/**
 * Looks at an app. It has buttons `alice`, `bob` and `nobody`, and takes the environment from `?weavy=`.
 */
export async function lookAt(url, world, { uidOf = (user) => user, whileShown, allowed = /^$/ } = {}) {
  const browser = await openBrowser()
  try {
    const page = await browser.newPage()
    const complaints = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      const isFavicon = message.location().url.endsWith('/favicon.ico')
      if (message.type() === 'error' && !isFavicon && !allowed.test(message.text()))
        complaints.push(message.text())
    })
    const requests = () => world.weavy.requests
    const refused = () => requests().filter((request) => request.refused)
    const tokens = () => requests().filter(({ kind }) => kind === 'token').length

    await page.goto(`${url}/?weavy=${encodeURIComponent(world.weavy.url)}`)
    await page.getByRole('button', { name: 'alice' }).click()
    await page.getByText('Launch crew').first().waitFor()
    await eventually('a connected hub', () => world.weavy.hubs === 1)
    const rotated = tokens() + 2
    await eventually('two rotations', () => tokens() >= rotated)
    assert.deepEqual(refused(), [], 'requests refused')
    await whileShown?.(page)

    world.user = 'bob'
    const before = requests().length
    await page.getByRole('button', { name: 'bob' }).click()
    await eventually('the messenger of bob', () =>
      requests()
        .slice(before)
        .some(({ uid, kind }) => uid === uidOf('bob') && kind !== 'token'),
    )
    await eventually('the hub of bob', () => world.weavy.hubUids().join() === uidOf('bob'))
    await page.getByText('Launch crew').first().waitFor()
    const asAlice = requests()
      .slice(before)
      .filter(({ uid }) => uid === uidOf('alice'))
    assert.deepEqual(asAlice, [], 'requests as alice after the switch')

    await page.getByRole('button', { name: 'nobody' }).click()
    await eventually('no hub', () => world.weavy.hubs === 0)
    await sleep(1000)
    const after = requests().length
    const asked = world.broker.requests.length
    assert.equal(await page.locator('wy-messenger').count(), 0, 'elements left')
    await sleep(LIFETIME_S * 1000)
    assert.equal(requests().length, after, 'requests after the end')
    assert.equal(world.broker.requests.length, asked, 'token requests after the end')
    assert.deepEqual(refused(), [], 'requests refused')
    assert.deepEqual(complaints, [], 'complaints in the console')
  } finally {
    await browser.close()
  }
}
