// Cloudflare's own runtime: there, all that a request had begun ends with its client, and no other request may wait for it.
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildSync } from 'esbuild'
import { Miniflare } from 'miniflare'

const bundle = (contents) =>
  buildSync({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'esm',
    conditions: ['workerd', 'worker'],
  }).outputFiles[0].text

const BROKER = `
  import { createTokenBroker, toUid } from 'weavy-token/broker'
  let broker
  export default {
    fetch(request, env) {
      broker ??= createTokenBroker({
        weavyUrl: env.WEAVY_URL,
        apiKey: 'wys_key',
        user: (incoming) => ({ uid: toUid(incoming.headers.get('x-user')), name: 'Ada' }),
        syncProfile: true,
      })
      return broker.fetch(request)
    },
  }`

// Asks the broker through a binding, and gives up when it was told to.
const CALLER = `
  export default {
    async fetch(request, env) {
      const giveUpMs = Number(request.headers.get('x-give-up'))
      const controller = new AbortController()
      if (giveUpMs) setTimeout(() => controller.abort(), giveUpMs)
      try {
        return await env.BROKER.fetch(request.url, { headers: request.headers, signal: controller.signal })
      } catch {
        return new Response('given up', { status: 499 })
      }
    },
  }`

let calls = 0
let delayMs = 600
const weavy = createServer(async (request, response) => {
  request.resume()
  if (request.method === 'POST') calls += 1
  const number = calls
  await sleep(delayMs)
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ access_token: `wyu_${number}`, expires_in: 3600 }))
}).listen(0, '127.0.0.1')
await once(weavy, 'listening')

const miniflare = new Miniflare({
  workers: [
    { name: 'caller', modules: true, script: CALLER, serviceBindings: { BROKER: 'broker' } },
    {
      name: 'broker',
      modules: true,
      script: bundle(BROKER),
      compatibilityDate: '2026-01-01',
      bindings: { WEAVY_URL: `http://127.0.0.1:${weavy.address().port}` },
    },
  ],
})

async function ask(user, giveUpMs = 0, query = '') {
  const started = performance.now()
  const response = await miniflare.dispatchFetch(`http://app.example/api/token${query}`, {
    headers: { 'x-user': user, 'x-give-up': String(giveUpMs) },
  })
  const text = await response.text()
  return { status: response.status, text, ms: performance.now() - started }
}

try {
  // A token is issued, reused and replaced.
  const first = await ask('ada')
  assert.equal(first.status, 200, first.text)
  const again = await ask('ada')
  assert.equal(JSON.parse(again.text).access_token, JSON.parse(first.text).access_token)
  const replaced = await ask('ada', 0, '?refresh=true')
  assert.notEqual(JSON.parse(replaced.text).access_token, JSON.parse(first.text).access_token)

  // Requests of one user at the same time are all answered.
  for (const reply of await Promise.all(Array.from({ length: 5 }, () => ask('grace')))) {
    assert.equal(reply.status, 200, reply.text)
    assert.ok(reply.ms < 5_000, `took ${reply.ms} ms`)
  }

  // The caller of the request that asks Weavy gives up: everybody after it is served, and soon.
  assert.equal((await ask('alan', 150)).status, 499)
  for (const wait of [0, 0, 1_000]) {
    await sleep(wait)
    const reply = await ask('alan')
    assert.equal(reply.status, 200, reply.text)
    assert.ok(reply.ms < 3_000, `took ${reply.ms} ms`)
  }

  // So are those who waited for that request.
  const waiting = [
    ask('barbara', 150),
    sleep(50).then(() => ask('barbara')),
    sleep(50).then(() => ask('barbara')),
  ]
  const [givenUp, ...others] = await Promise.all(waiting)
  assert.equal(givenUp.status, 499)
  for (const reply of others) {
    assert.equal(reply.status, 200, reply.text)
    assert.ok(reply.ms < 9_600, `took ${reply.ms} ms`)
  }

  // One user's cancelled request locks out no other.
  delayMs = 50
  assert.equal((await ask('edsger')).status, 200)
} finally {
  await miniflare.dispose()
  weavy.closeAllConnections()
  weavy.close()
}
