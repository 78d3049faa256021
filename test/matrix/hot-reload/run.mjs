// The recipe for hot reload of docs/troubleshooting.md: a source that Vite has replaced asks for nothing any more.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { createServer } from 'vite'
import { eventually, LIFETIME_S, openBrowser, sleep, startWeavy } from '../chat-app.mjs'
import { writeExamples } from '../documented.mjs'

const [file] = writeExamples('troubleshooting', /^source\.ts$/, (code) =>
  code.replace('session.userId', "'alice'"),
)
const world = await startWeavy()
const proxy = { '/api': new URL(world.tokenUrl).origin }
const vite = await createServer({ server: { host: '127.0.0.1', port: 0, proxy }, logLevel: 'error' })
await vite.listen()

const browser = await openBrowser()
const page = await browser.newPage()
await page.goto(`http://127.0.0.1:${vite.httpServer.address().port}/`)
const EDITS = 3
for (let made = 1; made <= EDITS; made++) {
  await eventually('a module', async () => (await page.evaluate('globalThis.made')) === made)
  await sleep(500)
  appendFileSync(file, `// edit ${made}\n`)
}
await eventually('the last module', async () => (await page.evaluate('globalThis.made')) === EDITS + 1)
await sleep(500)
const before = world.broker.requests.length
assert.equal(before, EDITS + 1, 'each module asks once')
await sleep(2 * LIFETIME_S * 1000)
const later = world.broker.requests.length - before
// Two lives, and perhaps the beginning of a third.
assert.ok(later >= 2 && later <= 3, `${later} requests in two lives`)
await browser.close()
process.exit()
