import { expect, test, vi } from 'vitest'
import { like, report, SESSION, serve, startWorld, userOf, weavy } from './world.js'

startWorld()

/** What the command prints about one promise. */
const about = async (promise: string, url: string, ...options: string[]) => {
  const printed = await report(url, '--header', `cookie: ${SESSION}`, ...options)
  return printed.split(/\n(?=\S)/).find((finding) => finding.slice(2).startsWith(promise))
}

test('a broker that never replaces a token', async () => {
  expect(await about('refresh=true', await like('ignores refresh'))).toMatchInlineSnapshot(`
    "✗ refresh=true replaces the token: the same token (GET /api/token?refresh=true)
        A page asks so when Weavy refused its token. The same one again ends in the error rejected.
        → Ask Weavy for a new token when the query has refresh=true, and keep that one."
  `)
})

test('a broker that answers as plain text', async () => {
  expect(await about('JSON is called', await like('uid in the query'))).toMatchInlineSnapshot(`
    "! JSON is called application/json: text/plain; charset=utf-8 (GET /api/token)
        Pages read it all the same, but proxies and browsers may compress, change or show what is called otherwise.
        → Set Content-Type: application/json."
  `)
})

test('a broker that needs no session, when none is given', async () => {
  expect(await report(await like('uid in the query'))).toContain(
    `! Without a session: 401: a token (GET /api/token without a session)
    Whoever knows this address gets a token.
    → If it takes a session, pass one: --header 'cookie: …'. If it takes none, ask for one.
`,
  )
})

test('a broker that tells with status 200 that nobody is signed in', async () => {
  expect(await about('Without a session', await like('200 { message }'))).toMatchInlineSnapshot(`
    "✗ Without a session: 401: 200 and no token (GET /api/token without a session)
        A page takes it for a broken broker, and not for the end of the session.
        → Answer 401 when nobody is signed in."
  `)
})

test('a broker that shows a sign-in page in place of 401', async () => {
  const url = await serve(async (request) =>
    userOf(request)
      ? Response.json({ access_token: 'wyu_a' })
      : new Response('\n<html>', { headers: { 'content-type': 'text/html' } }),
  )
  expect(await about('Without a session', url)).toMatchInlineSnapshot(`
    "✗ Without a session: 401: 200 and HTML (GET /api/token without a session)
        A page takes it for a broken broker, and not for the end of the session.
        → Answer 401 when nobody is signed in."
  `)
})

test('a broker that makes a token each time', async () => {
  let count = 0
  const url = await serve(async () =>
    Response.json({ access_token: `wyu_${++count}`, expires_in: 3600, sub: 's' }),
  )
  expect(await about('expires_in of a reused token', url)).toMatchInlineSnapshot(
    `"✓ expires_in of a reused token counts down: a new token each time (GET /api/token, again 2 s later)"`,
  )
  expect(await about('held', url)).toMatchInlineSnapshot(`
    "! held: tabs that renew ahead of expiry share one new token: two new tokens (GET …?refresh=true&held=…, twice)
        Without it each tab makes a token of its own at every expiry.
        → With refresh=true&held=…: when the stored token has another digest and is good, answer with it."
  `)
  expect(await about('refused', url)).toMatchInlineSnapshot(`
    "! refused: a refused token is replaced once: two new tokens (GET …?refresh=true&refused=…, twice)
        Without it a revocation costs a new token for each tab.
        → With refresh=true&refused=…: keep the digests of refused tokens; replace the stored token unless that one was replaced for the same digest."
  `)
  expect(await about('It answers 20', url)).toMatchInlineSnapshot(`
    "! It answers 20 at once: 20 different tokens (20 × GET /api/token)
        Many tabs and users ask at the same moment, after a deploy or a night of sleep.
        → Share one call to Weavy among the requests of one user, and look for what they wait for."
  `)
})

test('a broker that names tokens in place of users', async () => {
  let count = 0
  const url = await serve(async () => Response.json({ access_token: `wyu_${++count}`, sub: `s${count}` }))
  expect(await about('sub', url)).toMatchInlineSnapshot(`
    "✗ sub names the user: another sub for the same session (GET /api/token?refresh=true)
        With it a page notices that another user signed in to the same session, and never acts as that one.
        → One sub belongs to one user."
  `)
})

test('a broker whose answers hold something else', async () => {
  const came = async (body: object) =>
    (await about('It answers with a token', await serve(async () => Response.json(body))))?.split('\n')[0]
  expect(await came({ access_token: 'abc' })).toMatchInlineSnapshot(
    `"✗ It answers with a token: 200 application/json: an access_token that is no user token (wyu_) (GET /api/token)"`,
  )
  expect(await came({ access_token: 7 })).toMatchInlineSnapshot(
    `"✗ It answers with a token: 200 application/json: an access_token that is no user token (wyu_) (GET /api/token)"`,
  )
  expect(await came({ id: 7 })).toMatchInlineSnapshot(
    `"✗ It answers with a token: 200 application/json: JSON without an access_token (GET /api/token)"`,
  )
})

test('a broker that takes six seconds', async () => {
  const takes = [6000]
  const url = await serve(async () => {
    vi.advanceTimersByTime(takes.pop() ?? 0)
    return Response.json({ access_token: 'wyu_a' })
  })
  expect(await about('It answers in time', url)).toMatchInlineSnapshot(`
    "✗ It answers in time: 6000 ms at most (GET /api/token)
        A page without a token shows nothing until then. It gives a request up after 10 s, the UIKit after 20 s.
        → Keep the token of a user until the last tenth of its life in place of asking Weavy each time.
    "
  `)
})

test('an address that anybody on the way can read', async () => {
  // A port that fetch refuses, so that no name is looked up.
  expect(await about('The address', 'http://app.example:1/api')).toMatchInlineSnapshot(`
    "✗ The address is secure: http: (GET /api)
        A page may ask no other one, and on the way anybody could read the token.
        → Serve the broker over https:. Only loopback hosts may do without."
  `)
})

test('a token of another environment', async () => {
  const url = await serve(async () => Response.json({ access_token: 'wyu_elsewhere' }))
  expect(await about('Weavy takes', url, '--weavy-url', weavy.url)).toMatchInlineSnapshot(`
    "✗ Weavy takes the token: 401 (GET http://127.0.0.1/api/user)
        A token of another environment is refused for ever.
        → Do the page and the broker use the same Weavy environment?
    "
  `)
})

test('an environment that is not there', async () => {
  const url = await like('sample')
  expect(await about('Weavy takes', url, '--weavy-url', 'http://127.0.0.1:1')).toMatchInlineSnapshot(`
    "✗ Weavy takes the token: no answer (GET http://127.0.0.1/api/user)
        Weavy could not be reached.
        → Is --weavy-url right?
    "
  `)
})
