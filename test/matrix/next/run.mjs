// Next.js gives a route, a page and a server action instances of one module each. They share one memory of the process.
// The server component and the server action of docs/broker.md are tried as they stand there.
import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { writeExamples } from '../documented.mjs'

const written = writeExamples('broker', /^(weavy-as|app\/[\w-]+)\.tsx?$/)
assert.deepEqual(written.sort(), ['app/actions.ts', 'app/fetch-token.ts', 'app/unread.tsx', 'weavy-as.ts'])

let calls = 0
let isDown = false
const revoked = new Set()
/** What Weavy was asked as whom: the status of each answer. */
const asked = []
const weavy = createServer((request, response) => {
  request.resume()
  const send = (status, body) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  if (isDown) return send(503, {})
  if (request.url.startsWith('/api/notifications')) {
    const token = request.headers.authorization?.slice('Bearer '.length)
    const status = revoked.has(token) ? 401 : 200
    asked.push(status)
    return send(status, { count: 3 })
  }
  calls += 1
  send(200, { access_token: `wyu_${calls}`, expires_in: 3600 })
}).listen(0, '127.0.0.1')
await once(weavy, 'listening')

const env = {
  ...process.env,
  WEAVY_URL: `http://127.0.0.1:${weavy.address().port}`,
  WEAVY_APIKEY: 'wys_key',
  NEXT_TELEMETRY_DISABLED: '1',
}
const next = 'node_modules/next/dist/bin/next'
const built = spawnSync(process.execPath, [next, 'build'], { env, encoding: 'utf8' })
assert.equal(built.status, 0, `${built.stdout}\n${built.stderr}`)

const probe = createSocketServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
await once(probe, 'close')
const server = spawn(process.execPath, [next, 'start', '-H', '127.0.0.1', '-p', String(port)], { env })
let printed = ''
for (const stream of [server.stdout, server.stderr]) {
  stream.on('data', (chunk) => {
    printed += chunk
  })
}
const origin = `http://127.0.0.1:${port}`
const get = (path, cookie) =>
  fetch(`${origin}${path}`, { headers: { cookie }, redirect: 'manual', signal: AbortSignal.timeout(10_000) })
const tokenOf = async (cookie) => (await (await get('/api/token', cookie)).json()).access_token

try {
  for (let i = 0; i < 100 && !printed.includes('Ready'); i++) await sleep(100)

  // A token, reused; the cookie that user() has renewed goes along.
  const first = await get('/api/token', 'sid=256')
  assert.equal(first.status, 200, printed)
  const { access_token: token } = await first.json()
  assert.match(first.headers.getSetCookie().join(), /renewed=256/)
  assert.equal(await tokenOf('sid=256'), token)

  // Nobody is signed in; and redirect() in user() is Next's own redirect, of which nobody logs a word.
  assert.equal((await get('/api/token', '')).status, 401)
  const redirected = await get('/api/token', 'sid=nobody')
  assert.equal(redirected.status, 307)
  assert.match(redirected.headers.get('location'), /\/sign-in$/)
  assert.doesNotMatch(printed, /weavy-token broker/)

  // The pages API: mounted through the adapter, and mounted wrongly, which is answered at once.
  const mounted = await get('/api/mounted', 'sid=1')
  assert.equal(mounted.status, 200)
  const unmounted = await get('/api/unmounted', 'sid=1')
  assert.equal(unmounted.status, 500)
  assert.match((await unmounted.json()).detail, /getRequestListener/)
  assert.match(printed, /fetch\(\) was called without a Request/)

  // The server component: as the user, with the token that the pages of the user have; once more after a revocation.
  const unread = async (cookie) => (await (await get('/news', cookie)).text()).replaceAll('<!-- -->', '')
  const issued = calls
  assert.match(await unread('sid=256'), /<p>3 unread<\/p>/)
  assert.equal(calls, issued, 'the server component has a token of its own')
  revoked.add(token)
  assert.match(await unread('sid=256'), /<p>3 unread<\/p>/)
  assert.deepEqual(asked, [200, 401, 200])
  const renewed = await tokenOf('sid=256')
  assert.notEqual(renewed, token)
  assert.doesNotMatch(await unread(''), /unread<\/p>/)
  assert.doesNotMatch(await unread('sid=256'), /wyu_/, 'the token is in the page')
  isDown = true
  const without = await get('/news', 'sid=256')
  assert.equal(without.status, 200)
  assert.match(await without.text(), /What is new/)
  isDown = false

  // The server action, as fetchToken of a page.
  const { chromium } = await import(
    pathToFileURL(`${process.env.WEAVY_TOKEN_ROOT}/node_modules/playwright/index.mjs`)
  )
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH || undefined,
    args: ['--no-sandbox', '--disable-gpu'],
  })
  try {
    const statusOf = async (...cookies) => {
      const context = await browser.newContext()
      await context.addCookies(cookies)
      const page = await context.newPage()
      await page.goto(`${origin}/action`)
      const status = page.locator('[data-status]:not([data-status=empty]):not([data-status=fetching])')
      await status.waitFor({ timeout: 10_000 })
      return [await status.getAttribute('data-status'), await status.textContent()]
    }
    const before = calls
    assert.deepEqual(await statusOf({ name: 'sid', value: '256', url: origin }), ['ready', renewed])
    assert.equal(calls, before, 'the server action has a token of its own')
    assert.deepEqual(await statusOf(), ['signed-out', 'signed_out'])
  } finally {
    await browser.close()
  }

  // forget() in a server action, pressed as a page without JavaScript does.
  const html = await (await get('/sign-out', 'sid=256')).text()
  const action = /name="(\$ACTION_ID_\w+)"/.exec(html)?.[1]
  assert.ok(action, html)
  const form = new FormData()
  form.set(action, '')
  const signedOut = await fetch(`${origin}/sign-out`, {
    method: 'POST',
    body: form,
    headers: { cookie: 'sid=256', origin },
  })
  assert.ok(signedOut.ok, `${signedOut.status} ${printed}`)
  assert.notEqual(
    await tokenOf('sid=256'),
    renewed,
    'a token that a server action had forgotten was given again',
  )
} finally {
  server.kill('SIGKILL')
  weavy.closeAllConnections()
  weavy.close()
}
