// Frameworks that hand a route an event instead of a Request: SvelteKit and React Router, each itself.
import { strict as assert } from 'node:assert'
import { createRequestHandler } from 'react-router'
import { createServer } from 'vite'
import { createTokenBroker } from 'weavy-token/broker'

/** Asks a route as somebody with a session, as nobody, and by another method. */
async function check(name, ask) {
  const served = await ask('sid=1')
  assert.equal(served.status, 200, `${name}: ${await served.clone().text()}`)
  assert.equal((await served.json()).access_token, 'wyu_1', name)
  assert.match(served.headers.get('cache-control'), /no-store/, name)
  assert.equal((await ask('')).status, 401, name)
  return served
}

const svelteKit = await createServer({
  server: { host: '127.0.0.1', port: 0 },
  logLevel: 'error',
  cacheDir: 'node_modules/.vite-run',
})
try {
  await svelteKit.listen()
  const { port } = svelteKit.httpServer.address()
  const ask = (cookie, init) =>
    fetch(`http://127.0.0.1:${port}/api/token`, { ...init, headers: { cookie }, redirect: 'manual' })
  const served = await check('SvelteKit', ask)
  assert.match(served.headers.getSetCookie().join(), /renewed=1/, 'a cookie that user() has set is lost')
  const redirected = await ask('sid=nobody')
  assert.equal(redirected.status, 303)
  assert.equal(redirected.headers.get('location'), '/sign-in')
} finally {
  await svelteKit.close()
}

const broker = createTokenBroker({
  weavyUrl: 'https://acme.weavy.io',
  apiKey: 'wys_key',
  user: (request, { params }) =>
    request.headers.get('cookie') === 'sid=1' ? { uid: `user-1`, name: Object.keys(params).join() } : null,
  fetch: async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 }),
})
const handle = createRequestHandler(
  {
    entry: { module: { default: () => new Response() } },
    routes: { token: { id: 'token', path: '/api/token', module: { loader: broker.fetch } } },
    assets: { entry: { imports: [], module: '' }, routes: {}, url: '', version: '' },
    publicPath: '/',
    assetsBuildDirectory: '',
    basename: '/',
    future: {},
    ssr: true,
    isSpaMode: false,
    prerender: [],
    routeDiscovery: { mode: 'initial' },
  },
  'production',
)
await check('React Router', (cookie, init) =>
  handle(new Request('https://app.example/api/token', { ...init, headers: { cookie } })),
)
process.exit(0)
