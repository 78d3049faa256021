// The recipe "Vite and Express with sessions" of docs/recipes.md: types, build, production, and Vite's proxy.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { build, createServer } from 'vite'
import { lookAt, startWeavy } from '../chat-app.mjs'

execFileSync('node_modules/.bin/tsc', { stdio: 'inherit' })
await build({ logLevel: 'error' })
const world = await startWeavy()
process.env.WEAVY_URL = world.weavy.url
process.env.WEAVY_APIKEY = world.weavy.apiKey
process.env.SESSION_SECRET = 'a secret of this test'
const { app } = await import('./out/server.js')
const server = await new Promise((listening) => {
  const started = app.listen(0, '127.0.0.1', () => listening(started))
})
const url = `http://127.0.0.1:${server.address().port}`
await lookAt(url, world, { uidOf: (user) => `u${user}` })

process.env.API_URL = url
const vite = await createServer({ server: { host: '127.0.0.1', port: 0 }, logLevel: 'error' })
await vite.listen()
const dev = `http://127.0.0.1:${vite.httpServer.address().port}`
assert.equal((await fetch(`${dev}/api/token`)).status, 401)
const signedIn = await fetch(`${dev}/api/session/alice`, { method: 'POST' })
const cookie = signedIn.headers
  .getSetCookie()
  .map((line) => line.split(';')[0])
  .join('; ')
const answer = await fetch(`${dev}/api/token`, { headers: { cookie } })
assert.match((await answer.json()).access_token, /^wyu_/)
process.exit()
