import { expect, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { APP, like, ourBroker, report, SESSION, serve, startWorld, weavy } from './world.js'

startWorld()

const signedIn = ['--header', `cookie: ${SESSION}`]
const full = () => [...signedIn, '--origin', APP, '--weavy-url', weavy.url]

test('our own broker', async () => {
  expect(await report(await serve(ourBroker().fetch), ...full())).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 application/json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✓ It answers with a token: 200 application/json (GET /api/token)
    ✓ JSON is called application/json: application/json (GET /api/token)
    ✓ access_token is a user token: wyu_… (#1) (GET /api/token)
    ✓ Cache-Control: no-store: no-store (GET /api/token)
    ✓ expires_in is there: 3600 s (GET /api/token)
    ✓ expires_in of a reused token counts down: 3600 s, then 3598 s (GET /api/token, again 2 s later)
    ✓ refresh=true replaces the token: wyu_… (#1), then wyu_… (#2) (GET /api/token?refresh=true)
    ✓ sub names the user: the same one for the same user (GET /api/token)
    ✓ held: tabs that renew ahead of expiry share one new token: one new token (GET …?refresh=true&held=…, twice)
    ✓ refused: a refused token is replaced once: one new token (GET …?refresh=true&refused=…, twice)
    ✓ Without a session: 401: 401 application/problem+json (GET /api/token without a session)
    ✓ Pages of another origin get nothing: 403 application/problem+json (GET /api/token from https://foreign.example)
    ✓ Pages of --origin can read the answer: 200 application/json (GET /api/token from https://app.example)
    ✓ A preflight of --origin is answered: 204 no content type (OPTIONS /api/token from https://app.example)
    ✓ It answers 20 at once: all with a token (20 × GET /api/token)
    ✓ It answers in time: 0 ms at most (GET /api/token)
    ✓ Weavy takes the token: 200 (GET http://127.0.0.1/api/user)

    20 promises looked at: 0 not kept, 0 could be better.
    "
  `)
})

test('our own broker, when no session is given', async () => {
  expect(await report(await serve(ourBroker().fetch))).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 401 application/problem+json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✗ It answers with a token: 401 application/problem+json: Not signed in. Nobody is signed in to this app. Sign in, then ask again. (GET /api/token)
        Nobody is signed in.
        → Pass the session of a signed-in user: --header 'cookie: …'
    ✓ Without a session: 401: 401 application/problem+json (GET /api/token without a session)

    5 promises looked at: 1 not kept, 0 could be better.
    "
  `)
})

test('a broker that answers with a token, and no more', async () => {
  expect(await report(await like('sample'), ...signedIn)).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 application/json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✓ It answers with a token: 200 application/json (GET /api/token)
    ✓ JSON is called application/json: application/json (GET /api/token)
    ✓ access_token is a user token: wyu_… (#1) (GET /api/token)
    ! Cache-Control: no-store: no Cache-Control (GET /api/token)
        A proxy or a browser that keeps the answer gives one user the token of another, or a dead one.
        → Set Cache-Control: no-store on every answer.
    ! expires_in is there: none (GET /api/token)
        Without it a page learns of an expiry by a request that Weavy refuses, at every expiry.
        → Keep the time of expiry beside the token, and answer the seconds that remain.
    - expires_in of a reused token counts down: there is no expires_in (nothing)
    ✓ refresh=true replaces the token: wyu_… (#1), then wyu_… (#2) (GET /api/token?refresh=true)
    ! sub names the user: none (GET /api/token)
        With it a page notices that another user signed in to the same session, and never acts as that one.
        → Answer "sub" as well: the first 22 characters of the base64url SHA-256 of the uid.
    - held: tabs that renew ahead of expiry share one new token: there is no sub (nothing)
    - refused: a refused token is replaced once: there is no sub (nothing)
    ✓ Without a session: 401: 401 no content type (GET /api/token without a session)
    ✓ Pages of another origin get nothing: Access-Control-Allow-Origin: *, which browsers refuse together with cookies (GET /api/token from https://foreign.example)
    - Pages of --origin can read the answer: no --origin was given (nothing)
    - A preflight of --origin is answered: no --origin was given (nothing)
    ✓ It answers 20 at once: all with a token (20 × GET /api/token)
    ✓ It answers in time: 0 ms at most (GET /api/token)

    19 promises looked at: 0 not kept, 3 could be better.
    "
  `)
})

test('a broker that lets every origin in, and every cache keep the answer', async () => {
  expect(await report(await like('reflects every origin'), ...full())).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 application/json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✓ It answers with a token: 200 application/json (GET /api/token)
    ✓ JSON is called application/json: application/json (GET /api/token)
    ✓ access_token is a user token: wyu_… (#1) (GET /api/token)
    ✗ Cache-Control: no-store: public, max-age=60 (GET /api/token)
        A proxy or a browser that keeps the answer gives one user the token of another, or a dead one.
        → Set Cache-Control: no-store on every answer.
    ✓ expires_in is there: 3600 s (GET /api/token)
    ✗ expires_in of a reused token counts down: 3600 s, then 3600 s (GET /api/token, again 2 s later)
        A page that is told more than what remains uses a dead token.
        → Answer expiresAt - now, not the life that the token had at first.
    ✓ refresh=true replaces the token: wyu_… (#1), then wyu_… (#2) (GET /api/token?refresh=true)
    ! sub names the user: none (GET /api/token)
        With it a page notices that another user signed in to the same session, and never acts as that one.
        → Answer "sub" as well: the first 22 characters of the base64url SHA-256 of the uid.
    - held: tabs that renew ahead of expiry share one new token: there is no sub (nothing)
    - refused: a refused token is replaced once: there is no sub (nothing)
    ✗ Without a session: 401: a token (GET /api/token without a session)
        Whoever knows this address gets a token of somebody.
        → Answer 401 when nobody is signed in.
    ✗ Pages of another origin get nothing: its origin is allowed, with credentials (GET /api/token from https://foreign.example)
        Any page on the web could read the token of a user who visits it.
        → Do not return the request's Origin in Access-Control-Allow-Origin. Name the origins that you trust.
    ! Pages of --origin can read the answer: no Vary: Origin (GET /api/token from https://app.example)
        A cache may give one origin the answer for another.
        → Answer Access-Control-Allow-Origin with that origin, Access-Control-Allow-Credentials: true and Vary: Origin (our broker: allowedOrigins).
    ! A preflight of --origin is answered: the headers are not allowed (OPTIONS /api/token from https://app.example)
        A page that sends a header of its own asks with OPTIONS first.
        → Answer OPTIONS with 204, Access-Control-Allow-Origin, -Methods: GET, and -Headers with what was asked; without asking for a session.
    ✓ It answers 20 at once: all with a token (20 × GET /api/token)
    ✓ It answers in time: 0 ms at most (GET /api/token)
    ✓ Weavy takes the token: 200 (GET http://127.0.0.1/api/user)

    20 promises looked at: 4 not kept, 3 could be better.
    "
  `)
})

test('a broker that fails from the second request on', async () => {
  let count = 0
  const url = await serve(async () =>
    count++
      ? new Response('busy', { status: 503, headers: { 'content-type': 'text/plain; charset=utf-8' } })
      : Response.json({ access_token: 'wyu_a', expires_in: 3600 }),
  )
  expect(await report(url, ...full())).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 application/json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✓ It answers with a token: 200 application/json (GET /api/token)
    ✓ JSON is called application/json: application/json (GET /api/token)
    ✓ access_token is a user token: wyu_… (#1) (GET /api/token)
    ! Cache-Control: no-store: no Cache-Control (GET /api/token)
        A proxy or a browser that keeps the answer gives one user the token of another, or a dead one.
        → Set Cache-Control: no-store on every answer.
    ✓ expires_in is there: 3600 s (GET /api/token)
    ✗ expires_in of a reused token counts down: 503 text/plain (GET /api/token, again 2 s later)
        A page that is told more than what remains uses a dead token.
        → Answer expiresAt - now, not the life that the token had at first.
    ✗ refresh=true replaces the token: 503 text/plain (GET /api/token?refresh=true)
        A page asks so when Weavy refused its token. The same one again ends in the error rejected.
        → Ask Weavy for a new token when the query has refresh=true, and keep that one.
    ! sub names the user: none (GET /api/token)
        With it a page notices that another user signed in to the same session, and never acts as that one.
        → Answer "sub" as well: the first 22 characters of the base64url SHA-256 of the uid.
    - held: tabs that renew ahead of expiry share one new token: there is no sub (nothing)
    - refused: a refused token is replaced once: there is no sub (nothing)
    ! Without a session: 401: 503 text/plain (GET /api/token without a session)
        A page knows by 401 that its user has to sign in.
        → Answer 401 when nobody is signed in.
    ✓ Pages of another origin get nothing: 503 text/plain (GET /api/token from https://foreign.example)
    ✗ Pages of --origin can read the answer: 503 text/plain (GET /api/token from https://app.example)
        Without CORS a browser hides the answer from them.
        → Answer Access-Control-Allow-Origin with that origin, Access-Control-Allow-Credentials: true and Vary: Origin (our broker: allowedOrigins).
    ! A preflight of --origin is answered: 503 text/plain (OPTIONS /api/token from https://app.example)
        A page that sends a header of its own asks with OPTIONS first.
        → Answer OPTIONS with 204, Access-Control-Allow-Origin, -Methods: GET, and -Headers with what was asked; without asking for a session.
    ✗ It answers 20 at once: 20 without a token, the first: 503 text/plain (20 × GET /api/token)
        Many tabs and users ask at the same moment, after a deploy or a night of sleep.
        → Share one call to Weavy among the requests of one user, and look for what they wait for.
    ✓ It answers in time: 0 ms at most (GET /api/token)

    19 promises looked at: 4 not kept, 4 could be better.
    "
  `)
})

test('an address of a page of the app', async () => {
  expect(await report(await like('fallback page'))).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 text/html (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✗ It answers with a token: 200 text/html: HTML came in place of JSON. Does tokenUrl lead to the token broker? (GET /api/token)
        Pages read { "access_token": "wyu_…" } with status 200.
        → HTML came: is this the path of the broker, and not one that the app answers with its own page?
    ! Without a session: 401: 200 text/html (GET /api/token without a session)
        A page knows by 401 that its user has to sign in.
        → Answer 401 when nobody is signed in.

    5 promises looked at: 1 not kept, 1 could be better.
    "
  `)
})

test('an address where nothing is', async () => {
  const url = await serve(async () => new Response('Not found', { status: 404 }))
  expect(await report(url, ...signedIn)).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 404 text/plain (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✗ It answers with a token: 404 text/plain: There is no token broker at this address (404). (GET /api/token)
        There is no broker at this path.
        → Is the path right?

    4 promises looked at: 1 not kept, 0 could be better.
    "
  `)
})

test('an address that leads to a sign-in page of another origin', async () => {
  expect(await report(await like('plain text'))).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 302 to https://login.example/authorize (GET /api/token)
    ✗ No redirect to a sign-in page: 302 to https://login.example/authorize (GET /api/token)
        A page takes it for the end of the session; on another origin, where it cannot read it, for a broken network.
        → Answer 401 at this path when nobody is signed in. If somebody should be: pass the session with --header.
    ! Without a session: 401: 302 to https://login.example/authorize (GET /api/token without a session)
        A page knows by 401 that its user has to sign in.
        → Answer 401 when nobody is signed in.

    4 promises looked at: 1 not kept, 1 could be better.
    "
  `)
})

test('a session that is refused', async () => {
  const url = await serve(async () => new Response(null, { status: 403 }))
  expect(await report(url, ...signedIn)).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 403 no content type (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✗ It answers with a token: 403 no content type: The token broker knows no signed-in user. Sign in again. (GET /api/token)
        It refuses the session that was given, so the page asks its user to sign in.
        → Is the session still good? If it is, the broker may pass on a 401 of Weavy itself, whose API key was refused: answer 502 for that, and look at its log.

    4 promises looked at: 1 not kept, 0 could be better.
    "
  `)
})

test('a broker with an API key', async () => {
  const url = await serve(async () => Response.json({ access_token: weavy.apiKey }))
  expect(await report(url, ...signedIn)).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✓ The broker can be reached: 200 application/json (GET /api/token)
    ✓ No redirect to a sign-in page: none (GET /api/token)
    ✗ access_token is a user token: an API key (wys_) (GET /api/token)
        An API key in a page gives every visitor the whole environment.
        → Ask Weavy for a token of the user (POST /api/users/{uid}/tokens) and answer with that. Revoke a key that was out.

    4 promises looked at: 1 not kept, 0 could be better.
    "
  `)
})

test('a port where nobody listens, when no session is given', async () => {
  const gone = await listen(() => new Response())
  await gone.close()
  expect(await report(`${gone.url}/api/token`)).toMatchInlineSnapshot(`
    "✓ The address is secure: a loopback host (GET /api/token)
    ✗ The broker can be reached: no answer (ECONNREFUSED) (GET /api/token)
        Without it no page gets a token.
        → Is it running, is the address right, do DNS and TLS work from here?

    2 promises looked at: 1 not kept, 0 could be better.
    "
  `)
})
