// The recipe for Next.js of docs/react.md, with cacheComponents and without: built without a key, started, looked at.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { lookAt, sleep, startWeavy } from '../chat-app.mjs'

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' }
const next = 'node_modules/next/dist/bin/next'

async function isServed(url) {
  for (let tries = 0; tries < 100; tries++, await sleep(200))
    if (await fetch(url, { redirect: 'manual' }).catch(() => undefined)) return
  throw new Error('next start does not serve')
}

/** A port that was free a moment ago. */
const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((closed) => server.close(closed))
  return port
}

for (const CACHE_COMPONENTS of ['true', 'false']) {
  const log = execFileSync(process.execPath, [next, 'build'], {
    env: { ...env, CACHE_COMPONENTS },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  assert.doesNotMatch(log, /Unforeseen|weavy-token/i, 'the build logs what is no trouble')
  const world = await startWeavy()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = spawn(process.execPath, [next, 'start', '-H', '127.0.0.1', '-p', String(port)], {
    env: { ...env, CACHE_COMPONENTS, WEAVY_URL: world.weavy.url, WEAVY_APIKEY: world.weavy.apiKey },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    await isServed(url)
    // The hub of the UIKit complains when nobody is signed in, before its element is gone.
    await lookAt(url, world, { uidOf: (user) => `u${user}`, allowed: /Nobody is signed in/ })
  } finally {
    server.kill()
    await world.close()
  }
}
process.exit()
