import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { createTokenBroker } from '../../src/broker/index.js'
import { type CheckOptions, checkBroker } from '../../src/check/check-broker.js'
import { run } from '../../src/check/command.js'
import type { Finding } from '../../src/check/finding.js'
import { digestOf } from '../../src/wire.js'
import { type Row, rows } from '../broker-rows.js'
import { issueToken } from '../stand-in/requests.js'

const APP = 'https://app.example'
const SESSION = 'sid=5ecret'

const closing: (() => Promise<unknown>)[] = []
let weavy: StandInWeavy
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  weavy = await createStandInWeavy()
  closing.push(() => weavy.close())
})
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0).reverse()) await close()
})

const serve = async (fetch: (request: Request) => Promise<Response>): Promise<string> => {
  const server = await listen(fetch)
  closing.push(() => server.close())
  return `${server.url}/api/token?tenant=7`
}

const userOf = (request: Request) => (request.headers.get('cookie') === SESSION ? 'acmeuser-1' : null)
const like = (row: Row) => serve(rows[row]({ issue: (uid) => issueToken(weavy, uid), user: userOf }))

const wait = async (ms: number) => {
  vi.setSystemTime(Date.now() + ms)
}

const check = (tokenUrl: string, options: Partial<CheckOptions> = {}) =>
  checkBroker({
    tokenUrl: new URL(tokenUrl),
    headers: new Headers({ cookie: SESSION }),
    origin: APP,
    weavyUrl: new URL(weavy.url),
    wait,
    ...options,
  })

const brief = (found: readonly Finding[], ...results: Finding['result'][]) =>
  found.filter(({ result }) => results.includes(result)).map(({ promise, result }) => `${result}: ${promise}`)

const faults = (found: readonly Finding[]) => brief(found, 'fail', 'warn')

const named = (found: readonly Finding[], promise: string) => {
  const finding = found.find((one) => one.promise === promise)
  if (!finding) throw new Error(`nothing was found out about: ${promise}`)
  return finding
}

const BARE = ['warn: Cache-Control: no-store', 'warn: expires_in is there', 'warn: sub names the user']
const NO_COOKIES = [
  'fail: Pages of --origin can read the answer',
  'warn: A preflight of --origin is answered',
]

const ourBroker = () =>
  createTokenBroker({
    weavyUrl: weavy.url,
    apiKey: weavy.apiKey,
    allowedOrigins: [APP],
    user: (request) => {
      const uid = userOf(request)
      return uid ? { uid } : null
    },
    log: () => {},
  })

describe('our own broker', () => {
  test('keeps every promise', async () => {
    const broker = ourBroker()
    const found = await check(await serve(broker.fetch))
    expect(brief(found, 'warn', 'fail', 'skip')).toEqual([])
    expect(found.length).toBeGreaterThan(19)
  })
})

describe('sub, held and refused', () => {
  interface Faults {
    readonly forgetsHeld?: boolean
    readonly forgetsRefused?: boolean
    readonly namesTokens?: boolean
  }

  /** As little as keeps the three promises. */
  const contract = ({ forgetsHeld, forgetsRefused, namesTokens }: Faults = {}) => {
    let token: string | undefined
    let digest: string | undefined
    let count = 0
    const dead = new Set<string>()
    return serve(async (request) => {
      if (!userOf(request)) return new Response(null, { status: 401 })
      const query = new URL(request.url).searchParams
      const held = query.get('held')
      const refused = query.get('refused')
      const isGood =
        (held && held !== digest && !forgetsHeld) || (refused && dead.has(refused) && !forgetsRefused)
      if (!token || (query.get('refresh') && !isGood)) {
        if (refused) dead.add(refused)
        token = `wyu_${++count}`
        digest = await digestOf(token)
      }
      return Response.json({ access_token: token, sub: namesTokens ? `s${count}` : 's' })
    })
  }

  test('that are kept are found', async () => {
    expect(brief(await check(await contract()), 'ok')).toEqual(
      expect.arrayContaining([
        'ok: sub names the user',
        'ok: held: tabs that renew ahead of expiry share one new token',
        'ok: refused: a refused token is replaced once',
      ]),
    )
  })

  test.each<[Faults, string]>([
    [{ forgetsHeld: true }, 'warn: held: tabs that renew ahead of expiry share one new token'],
    [{ forgetsRefused: true }, 'warn: refused: a refused token is replaced once'],
    [{ namesTokens: true }, 'fail: sub names the user'],
  ])('%j is found', async (given, fault) => {
    expect(faults(await check(await contract(given)))).toContain(fault)
  })
})

describe('redirects', () => {
  /** A broker that answers at `/api/token/` only, as frameworks do that want a slash at the end. */
  const withSlash = (headers: Record<string, string> = {}) => {
    const broker = ourBroker()
    return serve(async (request) => {
      const { pathname, search } = new URL(request.url)
      return pathname.endsWith('/')
        ? broker.fetch(request)
        : new Response(null, { status: 308, headers: { ...headers, location: `${pathname}/${search}` } })
    })
  }

  const CORS = { 'access-control-allow-origin': APP, 'access-control-allow-credentials': 'true' }

  test('of the same origin are followed, as a page does', async () => {
    const url = await withSlash({ ...CORS, vary: 'Origin' })
    const found = await check(url)
    expect(faults(found)).toEqual(['warn: A preflight of --origin is answered'])
    const { origin, pathname } = new URL(url)
    expect(named(found, 'No redirect to a sign-in page').came).toBe(
      `308 to ${origin}${pathname}/, then 200 application/json`,
    )
    expect(named(found, 'Without a session: 401')).toMatchObject({
      result: 'ok',
      came: `308 to ${origin}${pathname}/, then 401 application/problem+json`,
    })
    expect(named(found, 'A preflight of --origin is answered').came).toBe(`308 to ${origin}${pathname}/`)
  })

  test('hide the answer from pages of another origin, when they carry no CORS headers', async () => {
    expect(named(await check(await withSlash()), 'Pages of --origin can read the answer')).toMatchObject({
      result: 'fail',
      came: 'its origin is not allowed',
    })
  })

  test('of another origin get nothing of what was given', async () => {
    const elsewhere = vi.fn(async () => Response.json({ access_token: 'wyu_elsewhere' }))
    const foreign = new URL(await serve(elsewhere)).origin
    const url = await serve(async (request) =>
      Response.redirect(
        new URL(request.url).pathname === '/hop' ? `${foreign}/login` : new URL('/hop', request.url),
      ),
    )
    const found = await check(url)
    expect(named(found, 'No redirect to a sign-in page')).toMatchObject({
      result: 'fail',
      came: `302 to ${new URL(url).origin}/hop, then 302 to ${foreign}/login`,
    })
    expect(elsewhere).not.toHaveBeenCalled()
  })

  test('to a sign-in page of the same origin end a session, which is no broken broker', async () => {
    const tokens = await like('sample')
    const url = await serve(async (request) => {
      if (new URL(request.url).pathname === '/login')
        return new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
      return userOf(request)
        ? fetch(tokens, { headers: { cookie: SESSION } })
        : Response.redirect(new URL('/login', request.url))
    })
    const { origin } = new URL(url)
    const came = `302 to ${origin}/login, then 200 text/html`
    expect(named(await check(url), 'Without a session: 401')).toMatchObject({ result: 'warn', came })
    const found = await check(url, { headers: new Headers() })
    expect(named(found, 'No redirect to a sign-in page')).toMatchObject({ result: 'fail', came })
  })

  test('that never end are given up', async () => {
    const seen = vi.fn(async ({ url }: Request) => Response.redirect(url))
    const url = await serve(seen)
    expect(faults(await check(url))).toEqual(['fail: No redirect to a sign-in page'])
    expect(seen).toHaveBeenCalledTimes(21)
  })

  test('are none where only a Location is named', async () => {
    const url = await serve(async () =>
      Response.json({ access_token: 'wyu_a' }, { headers: { location: 'https://login.example' } }),
    )
    expect(named(await check(url), 'No redirect to a sign-in page').result).toBe('ok')
  })
})

describe('brokers that people have', () => {
  test.each<[Row, string[]]>([
    ['sample', [...BARE, ...NO_COOKIES]],
    [
      'uid in the query',
      ['warn: JSON is called application/json', ...BARE, 'fail: Without a session: 401', ...NO_COOKIES],
    ],
    ['JSON as HTML', ['warn: JSON is called application/json', ...BARE, ...NO_COOKIES]],
    [
      'constant expires_in',
      [
        'warn: Cache-Control: no-store',
        'fail: expires_in of a reused token counts down',
        'warn: sub names the user',
        ...NO_COOKIES,
      ],
    ],
    ['plain text', ['fail: It answers with a token']],
    ['{ token }', ['fail: It answers with a token']],
    ['{ accessToken }', ['fail: It answers with a token']],
    ['200 { message }', [...BARE, 'fail: Without a session: 401', ...NO_COOKIES]],
    ['fallback page', ['fail: It answers with a token']],
    [
      'ignores refresh',
      [
        'warn: Cache-Control: no-store',
        'fail: expires_in of a reused token counts down',
        'fail: refresh=true replaces the token',
        'warn: sub names the user',
        ...NO_COOKIES,
      ],
    ],
    ["passes Weavy's 401 on", ['fail: It answers with a token']],
    [
      'reflects every origin',
      [
        'fail: Cache-Control: no-store',
        'fail: expires_in of a reused token counts down',
        'warn: sub names the user',
        'fail: Without a session: 401',
        'fail: Pages of another origin get nothing',
        'warn: Pages of --origin can read the answer',
        'warn: A preflight of --origin is answered',
      ],
    ],
  ])('%s: each fault is found', async (row, expected) => {
    const found = await check(await like(row))
    expect(faults(found)).toEqual(expected)
    for (const { why, change } of found.filter(({ result }) => result === 'fail' || result === 'warn')) {
      expect(why).toBeTruthy()
      expect(change).toBeTruthy()
    }
  })

  test('what holds the token in another place is named', async () => {
    const words = async (row: Row) => named(await check(await like(row)), 'It answers with a token').came
    expect(await words('plain text')).toContain('a bare token')
    expect(await words('{ token }')).toContain('{ token }')
    expect(await words('{ accessToken }')).toContain('{ accessToken }')
    expect(await words('fallback page')).toContain('HTML')
  })

  test("a session that is refused may be a 401 of Weavy's own", async () => {
    const found = await check(await like("passes Weavy's 401 on"))
    expect(named(found, 'It answers with a token').change).toContain('API key was refused: answer 502')
  })

  test('without a session, a redirect to a sign-in page is shown, and only where it leads', async () => {
    const found = await check(await like('plain text'), { headers: new Headers() })
    expect(named(found, 'No redirect to a sign-in page')).toMatchObject({
      result: 'fail',
      came: '302 to https://login.example/authorize',
    })
  })

  test.each([
    [404, 'warn'],
    [500, 'warn'],
    [200, 'warn'],
    [401, 'ok'],
    [403, 'ok'],
  ])('without a session, %i is graded as %s', async (status, result) => {
    const url = await serve(async () => Response.json({}, { status }))
    const found = await check(url, { headers: new Headers() })
    expect(named(found, 'Without a session: 401')).toMatchObject({ result })
  })

  test('a port where nobody listens is one finding, with its reason', async () => {
    const gone = await listen(() => new Response())
    await gone.close()
    const found = await check(`${gone.url}/api/token`)
    expect(faults(found)).toEqual(['fail: The broker can be reached'])
    expect(named(found, 'The broker can be reached').came).toBe('no answer (ECONNREFUSED)')
  })

  test('an API key is found, and never shown', async () => {
    const found = await check(await serve(async () => Response.json({ access_token: weavy.apiKey })))
    expect(named(found, 'access_token is a user token').result).toBe('fail')
    expect(JSON.stringify(found)).not.toContain(weavy.apiKey.slice(4))
  })

  test('a token of another environment is found', async () => {
    const found = await check(await serve(async () => Response.json({ access_token: 'wyu_elsewhere' })))
    expect(named(found, 'Weavy takes the token')).toMatchObject({ result: 'fail', came: '401' })
  })

  test('http: is no way for a token', async () => {
    const [first] = await check('http://token.invalid/api')
    expect(first).toMatchObject({ promise: 'The address is secure', result: 'fail' })
  })
})

describe('the command', () => {
  const command = async (args: string[], hasColours = false) => {
    let out = ''
    let error = ''
    const status = await run(args, {
      out: (text) => {
        out += text
      },
      error: (text) => {
        error += text
      },
      hasColours,
      wait,
    })
    return { status, out, error }
  }

  test('says what it found, what to change, and 1 when something fails', async () => {
    const url = await like('{ token }')
    const { status, out } = await command(['check', url, '--header', `cookie: ${SESSION}`])
    expect(status).toBe(1)
    expect(out).toMatch(/✓ The broker can be reached: 200 application\/json \(GET \/api\/token\)/)
    expect(out).toMatch(/✗ It answers with a token: .*\n {4}Pages read .*\n {4}→ Answer that/)
    expect(out).toMatch(/promises looked at: 1 not kept, 0 could be better/)
  })

  test('shows no secret, as text and as JSON: no session, no token, no query', async () => {
    const seen: string[] = []
    const url = await serve(async (request) => {
      seen.push(new URL(request.url).search)
      return Response.json({ access_token: 'wyu_5ecrettoken' })
    })
    for (const extra of [[], ['--json']]) {
      const { out, error } = await command(['check', url, '--header', `cookie: ${SESSION}`, ...extra])
      expect(out + error).not.toMatch(/5ecret|tenant/)
      expect(out).toMatch(/wyu_… \(#[\w-]{8}\)/)
    }
    expect(seen[0]).toBe('?tenant=7')
    expect(seen).toContain('?tenant=7&refresh=true')
  })

  test('prints JSON that a program reads', async () => {
    const { status, out } = await command(['check', await like('fallback page'), '--json'])
    expect(status).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ failed: 1, warned: 1, findings: expect.any(Array) })
  })

  test('has colours only where they are wanted', async () => {
    const url = await like('fallback page')
    expect((await command(['check', url], true)).out).toContain('\u001b[31m✗')
    expect((await command(['check', url])).out).not.toContain('\u001b')
  })

  test.each([
    [[]],
    [['chekc', 'https://app.example']],
    [['check']],
    [['check', 'app.example']],
    [['check', 'https://a.example', 'https://b.example']],
    [['check', 'https://app.example', '--header', 'cookie']],
    [['check', 'https://app.example', '--origin', 'app']],
    [['check', 'https://app.example', '--verbose']],
  ])('%j is wrong usage: 2', async (args) => {
    const { status, out, error } = await command(args)
    expect(status).toBe(2)
    expect(out).toBe('')
    expect(error).toContain('Usage: weavy-token check <tokenUrl>')
  })

  test('explains itself', async () => {
    expect(await command(['--help'])).toMatchObject({ status: 0, out: expect.stringContaining('Usage:') })
  })
})
