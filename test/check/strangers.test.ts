import { describe, expect, test } from 'vitest'
import type { Answer } from '../../src/check/ask-broker.js'
import { foreignOrigin, namedOrigin, stranger } from '../../src/check/strangers.js'
import { answers } from './answers.js'

const APP = 'https://app.example'
const FOREIGN = 'https://foreign.example'

const graded = ({ result, came }: { result: string; came: string }) => `${result}: ${came}`

test.each<[Partial<Answer>, string, string]>([
  [{ status: 401 }, 'ok: 401', 'ok: 401'],
  [{ status: 404 }, 'warn: 404', 'warn: 404'],
  [{ status: 200 }, 'fail: 200 and no token', 'warn: 200'],
  [{ status: 200, location: 'https://app.example/login' }, 'warn: 200', 'warn: 200'],
])('without a session %j; one was given, none was given', async (given, expected, without) => {
  const { ask, questions } = answers({ token: undefined, came: String(given.status), ...given })
  const session = { cookie: 'sid=1', authorization: 'Bearer x', 'proxy-authorization': 'y', 'x-tenant': '7' }
  expect(graded(await stranger(ask, new Headers(session)))).toBe(expected)
  expect(graded(await stranger(ask, new Headers()))).toBe(without)
  expect([...(questions[0]?.headers ?? [])]).toEqual([['x-tenant', '7']])
})

describe('a foreign origin', () => {
  const found = async (allowed: string | undefined, given: Partial<Answer> = {}, more = {}) => {
    const headers = new Headers({ ...(allowed && { 'access-control-allow-origin': allowed }), ...more })
    return graded(await foreignOrigin(answers({ headers, ...given }).ask, new Headers()))
  }
  const refused = { token: undefined, came: '401 text/plain' }

  test.each([
    [FOREIGN, 'fail: its origin is allowed'],
    ['*', 'ok: Access-Control-Allow-Origin: *, which browsers refuse together with cookies'],
    [APP, 'ok: 200 application/json, which browsers hide from it'],
    [undefined, 'ok: 200 application/json, which browsers hide from it'],
  ])('may read a token where %s is allowed', async (allowed, expected) => {
    expect(await found(allowed)).toBe(expected)
  })

  test('may send cookies', async () => {
    expect(await found(FOREIGN, {}, { 'access-control-allow-credentials': 'true' })).toBe(
      'fail: its origin is allowed, with credentials',
    )
  })

  test.each([FOREIGN, '*'])('may know of a refusal, also where %s is allowed', async (allowed) => {
    expect(await found(allowed, refused)).toBe('ok: 401 text/plain')
  })

  test('is asked from as by a browser', async () => {
    const { ask, questions } = answers({})
    await foreignOrigin(ask, new Headers({ cookie: 'sid=1' }))
    expect([...(questions[0]?.headers ?? [])]).toEqual([
      ['cookie', 'sid=1'],
      ['origin', FOREIGN],
      ['sec-fetch-site', 'cross-site'],
    ])
  })
})

describe('an origin that is to be served', () => {
  const COOKIE = { cookie: 'sid=1' }

  /** What is found with these headers in the answer and in that to the preflight. */
  const found = async (
    given: Record<string, string>,
    allowed: Record<string, string>,
    preflight: Partial<Answer> = {},
  ) => {
    const answered = new Headers(allowed)
    const { ask, questions } = answers(
      { headers: answered },
      {
        asked: 'OPTIONS /api/token',
        status: 204,
        came: '204',
        headers: answered,
        token: undefined,
        ...preflight,
      },
    )
    const [shared, preflighted] = await namedOrigin(ask, new Headers(given), APP)
    return { shared: shared && graded(shared), preflight: preflighted && graded(preflighted), questions }
  }

  const allow = (origin: string, more: Record<string, string> = {}) => ({
    'access-control-allow-origin': origin,
    ...more,
  })
  const CREDENTIALS = { 'access-control-allow-credentials': 'true' }
  const VARY = { vary: 'Accept, Origin' }

  test('and none was given', async () => {
    const { ask, questions } = answers({})
    const none = await namedOrigin(ask, new Headers(), undefined)
    expect(none.map(graded)).toEqual(['skip: no --origin was given', 'skip: no --origin was given'])
    expect(questions).toEqual([])
  })

  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['another', {}, allow(FOREIGN, VARY), 'fail: its origin is not allowed'],
    ['itself', {}, allow(APP, VARY), 'ok: 200 application/json'],
    ['itself, for whichever asks', {}, allow(APP), 'warn: no Vary: Origin'],
    ['itself, by everything', {}, allow(APP, { vary: '*' }), 'ok: 200 application/json'],
    ['all', {}, allow('*'), 'ok: 200 application/json'],
    [
      'all, and has cookies',
      COOKIE,
      allow('*', CREDENTIALS),
      'fail: Access-Control-Allow-Origin: * does not go with cookies',
    ],
    ['itself without cookies', COOKIE, allow(APP, VARY), 'fail: no Access-Control-Allow-Credentials'],
    ['itself with cookies', COOKIE, allow(APP, { ...VARY, ...CREDENTIALS }), 'ok: 200 application/json'],
  ])('is allowed: %s', async (_, given, allowed, expected) => {
    expect((await found(given, allowed)).shared).toBe(expected)
  })

  test('asks for the headers that it sends, and without a session', async () => {
    const given = { ...COOKIE, origin: 'x', accept: 'y', 'x-tenant': '7', 'x-csrf': '8' }
    const { questions } = await found(given, {})
    expect([...(questions[0]?.headers ?? [])]).toContainEqual(['sec-fetch-site', 'cross-site'])
    expect(questions[1]?.method).toBe('OPTIONS')
    expect([...(questions[1]?.headers ?? [])]).toEqual([
      ['access-control-request-headers', 'x-csrf, x-tenant'],
      ['access-control-request-method', 'GET'],
      ['origin', APP],
      ['sec-fetch-site', 'cross-site'],
    ])
  })

  const named = (names: string) => ({ 'access-control-allow-headers': names })
  const OWN = { 'x-tenant': '7', 'x-csrf': '8' }

  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['none', {}, {}, 'warn: the headers are not allowed'],
    ['none, and some are sent', OWN, {}, 'fail: the headers are not allowed'],
    ['one of two', OWN, named('X-Tenant'), 'fail: the headers are not allowed'],
    ['both', OWN, named('X-Tenant,\tX-CSRF'), 'ok: 204'],
    ['one that is asked for by way of example', {}, named('x-csrf-token'), 'ok: 204'],
    ['all', OWN, named('*'), 'ok: 204'],
    [
      'all, which is a name where cookies are',
      { ...OWN, ...COOKIE },
      named('*'),
      'fail: the headers are not allowed',
    ],
    [
      'all but the one that has to be named',
      { authorization: 'Bearer x' },
      named('*'),
      'fail: the headers are not allowed',
    ],
    ['that one', { authorization: 'Bearer x' }, named('*, authorization'), 'ok: 204'],
  ])('may send headers: %s', async (_, given, names, expected) => {
    expect((await found(given, allow(APP, { ...VARY, ...CREDENTIALS, ...names }))).preflight).toBe(expected)
  })

  test.each([200, 204, 299])('is answered to a preflight by %d', async (status) => {
    expect((await found({}, allow(APP, named('x')), { status })).preflight).toBe('ok: 204')
  })

  test.each([199, 300, 401])('is not answered to a preflight by %d', async (status) => {
    expect((await found({}, allow(APP, named('x')), { status, came: `${status}` })).preflight).toBe(
      `warn: ${status}`,
    )
  })

  test('needs its own headers of CORS in the answer to a preflight', async () => {
    expect((await found({}, allow(APP), { headers: new Headers(named('x')) })).preflight).toBe(
      'warn: its origin is not allowed',
    )
  })
})
