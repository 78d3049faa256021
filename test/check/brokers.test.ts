import { describe, expect, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { digestOf } from '../../src/wire.js'
import type { Row } from '../broker-rows.js'
import { brief, check, faults, like, named, ourBroker, serve, startWorld, userOf, weavy } from './world.js'

startWorld()

const BARE = ['warn: Cache-Control: no-store', 'warn: expires_in is there', 'warn: sub names the user']
const NO_COOKIES = [
  'fail: Pages of --origin can read the answer',
  'warn: A preflight of --origin is answered',
]

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
})
