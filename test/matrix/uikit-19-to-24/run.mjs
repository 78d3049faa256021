// The UIKits before 25: no request is refused after an expiry, one is after a revocation, none goes out as the old user.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { LIFETIME_S, openBrowser, serveFolder, sleep, startWeavy } from '../chat-app.mjs'

const PAGE = `<!doctype html><meta charset="utf-8"><title>A page of then</title>
  <script src="weavy-token.global.js"></script>`

/** The build of each version that needs no bundler. */
const BUILDS = {
  19: 'weavy.esm.js',
  20: 'weavy.esm.js',
  23: 'weavy.esm.bundle.js',
  24: 'weavy.esm.bundle.js',
}

/** Before 24 there is \`get\` in place of \`fetch\`. */
const SCRIPT = `
  const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token', user: 'alice' })
  const { Weavy } = await import('/weavy.js')
  const weavy = new Weavy({ url })
  WeavyToken.connectWeavy(source, weavy)
  let n = 0
  window.get = (query = '') => {
    const path = '/api/user?n=' + n++ + query
    return (weavy.fetch ? weavy.fetch(path) : weavy.get(path)).then(({ status }) => status, ({ code, message }) => code ?? message)
  }
  window.source = source
`

async function check(version) {
  const folder = `out/${version}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/index.html`, PAGE)
  copyFileSync('node_modules/weavy-token/dist/weavy-token.global.js', `${folder}/weavy-token.global.js`)
  copyFileSync(`node_modules/uikit-web-${version}/dist/${BUILDS[version]}`, `${folder}/weavy.js`)
  const world = await startWeavy()
  const page = await browser.newPage()
  await page.goto(await serveFolder(folder, world))
  await page.evaluate(`(async () => { const url = '${world.weavy.url}'; ${SCRIPT} })()`)
  const get = (count = 1, query = '') =>
    page.evaluate(`Promise.all([...Array(${count})].map(() => get('${query}')))`)
  const refused = () => world.weavy.requests.filter((request) => request.refused).length

  assert.deepEqual(await get(), [200])
  await sleep(LIFETIME_S * 1000 + 500)
  assert.deepEqual(await get(5), Array(5).fill(200))
  assert.equal(refused(), 0, `${version}: refused after an expiry`)

  world.weavy.revokeAll()
  assert.deepEqual(await get(), [200], `${version}: after a revocation`)
  assert.equal(refused(), 1, `${version}: refused after a revocation`)

  const inTheAir = get(1, '&delay=1000')
  await sleep(200)
  world.weavy.revokeAll()
  world.user = 'bob'
  const before = world.weavy.requests.length
  await page.evaluate(`source.setUser('bob')`)
  assert.deepEqual(await get(5), Array(5).fill(200))
  assert.deepEqual(await inTheAir, ['superseded'], `${version}: a request of alice, refused after the switch`)
  const since = world.weavy.requests.slice(before).filter(({ kind }) => kind === 'api')
  assert.deepEqual(
    since.filter(({ uid, status }) => uid !== 'bob' && status !== 401),
    [],
    `${version}: requests as alice after the switch`,
  )
  assert.equal(since.filter(({ uid }) => uid === 'bob').length, 5, `${version}: requests as bob`)
  await page.close()
}

const browser = await openBrowser()
try {
  await Promise.all(Object.keys(BUILDS).map(check))
} finally {
  await browser.close()
}
process.exit()
