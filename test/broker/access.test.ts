import { describe, expect, test, vi } from 'vitest'
import { MAX_TOLD_ORIGINS } from '../../src/broker/access.js'
import { ask, createTestBroker, TOKEN_URL } from './ask.js'
import { createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

const PARTNER = 'https://partner.example'
const EVIL = 'https://evil.example'

async function statusFor(headers: Record<string, string>, options = {}, url = TOKEN_URL) {
  const { broker } = createTestBroker(options)
  return (await ask(broker, { headers }, url)).status
}

describe('methods', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND'])(
    '%s is answered with 405',
    async (method) => {
      const { broker } = createTestBroker()
      const { status, headers } = await ask(broker, { method })
      expect(status).toBe(405)
      expect(headers.get('allow')).toBe('GET')
      expect(weavy.calls).toEqual([])
    },
  )

  test('OPTIONS is allowed where other origins are', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    expect((await ask(broker, { method: 'POST' })).headers.get('allow')).toBe('GET, OPTIONS')
    expect((await ask(broker, { method: 'OPTIONS' })).status).toBe(204)
    expect(weavy.calls).toEqual([])
  })
})

describe('who may ask', () => {
  test.each([
    ['no browser, or one from before Sec-Fetch-Site', {}],
    ['a page of the same origin', { 'Sec-Fetch-Site': 'same-origin' }],
    [
      'a page of the same origin, behind a proxy that ends TLS',
      { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://app.example' },
    ],
    ['a user who types the address', { 'Sec-Fetch-Site': 'none' }],
    ['an old browser that sends its own origin', { Origin: 'https://app.example' }],
  ])('%s is served', async (_, headers) => {
    expect(await statusFor(headers)).toBe(200)
    expect(await statusFor(headers, { allowedOrigins: [PARTNER] })).toBe(200)
  })

  test('an origin is compared by its host, because a proxy may have ended TLS', async () => {
    expect(await statusFor({ Origin: 'https://app.example' }, {}, 'http://app.example/api/token')).toBe(200)
    expect(await statusFor({ Origin: 'https://app.example' }, {}, 'http://app.example:3000/api/token')).toBe(
      403,
    )
  })

  test.each([
    ['http://app.example:443/api/token', 'https://app.example', 200],
    ['http://app.example:80/api/token', 'http://app.example', 200],
    ['https://app.example:443/api/token', 'https://app.example', 200],
    ['http://app.example:443/api/token', 'https://app.example:8443', 403],
    ['http://app.example:8443/api/token', 'https://app.example', 403],
    ['http://app.example:443/api/token', 'https://evil.example', 403],
  ])(
    'at %s, a page of %s is answered with %i: a spelled out port is the same host',
    async (url, origin, status) => {
      expect(await statusFor({ Origin: origin }, {}, url)).toBe(status)
    },
  )

  test.each([
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site', Origin: EVIL }],
    ['an image or script tag on another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a page of a sibling domain', { 'Sec-Fetch-Site': 'same-site', Origin: 'https://blog.app.example' }],
    ['a link on a sibling domain', { 'Sec-Fetch-Site': 'same-site' }],
    ['a value that does not exist', { 'Sec-Fetch-Site': 'friendly' }],
    ['another site in an old browser', { Origin: EVIL }],
    ['another site that calls itself a navigation', { 'Sec-Fetch-Site': 'none', Origin: EVIL }],
    ['a sandboxed frame', { Origin: 'null' }],
    ['a sandboxed frame of the same site', { Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }],
    ['an origin that is no URL', { Origin: 'app.example' }],
    ['an origin that ends like ours', { Origin: 'https://evil-app.example' }],
    ['an origin that begins like ours', { Origin: 'https://app.example.evil.example' }],
  ])('%s is refused before anything else happens', async (_, headers) => {
    const user = () => {
      throw new Error('asked')
    }
    expect(await statusFor(headers, { user })).toBe(403)
    expect(await statusFor(headers, { user, allowedOrigins: [PARTNER] })).toBe(403)
    expect(weavy.calls).toEqual([])
  })

  test.each([
    ['of an app that has no host', 'http://localhost:3000/api/token', 'file://'],
    ['of a scheme that ends like ours', 'https://app.example/api/token', 'xhttps://app.example'],
    ['where a server hands over a path', '/api/token', 'https://undefined'],
    ['that a path names', '/api/token?next=https://evil.example/', EVIL],
  ])('a page %s is refused: its host is not that of the request', async (_, url, origin) => {
    const { broker } = createTestBroker()
    const request = { url, method: 'GET', headers: new Headers({ Origin: origin }) }
    expect((await broker.fetch(request as Request)).status).toBe(403)
  })

  test('an allowed origin is served, and no other that resembles it', async () => {
    const allowedOrigins = [PARTNER]
    const site = { 'Sec-Fetch-Site': 'cross-site' }
    expect(await statusFor({ ...site, Origin: PARTNER }, { allowedOrigins })).toBe(200)
    for (const origin of [
      'http://partner.example',
      `${PARTNER}:8443`,
      `${PARTNER}.evil.example`,
      'https://x.partner.example',
    ]) {
      expect(await statusFor({ ...site, Origin: origin }, { allowedOrigins })).toBe(403)
    }
  })

  test('the log names an origin that is not allowed, and the option, once', async () => {
    const { broker, lines } = createTestBroker({ allowedOrigins: [PARTNER] })
    const from = (headers: Record<string, string>) => ask(broker, { headers })
    for (let n = 0; n < 3; n++) await from({ 'Sec-Fetch-Site': 'cross-site', Origin: EVIL })
    await from({ Origin: 'https://blog.app.example' })
    expect(lines).toEqual([
      expect.stringContaining(`A page of ${EVIL} was refused: it is not in allowedOrigins.`),
      expect.stringContaining('A page of https://blog.app.example was refused'),
    ])
  })

  test('the log of refused origins is bounded, and names none that no browser sends', async () => {
    const { broker, lines } = createTestBroker()
    const from = (origin: string) => ask(broker, { headers: { Origin: origin } })
    for (const origin of [
      'null',
      'app.example',
      `https://${'a'.repeat(300)}.example`,
      'https://x.example/?wyu_1',
      'wyu_1 https://x.example',
      'wyu=secret://x.example',
    ])
      expect((await from(origin)).status).toBe(403)
    expect((await ask(broker, { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(403)
    expect(lines).toEqual([])
    for (let n = 0; n < 50; n++) await from(`https://x${n}.example`)
    expect(lines).toHaveLength(MAX_TOLD_ORIGINS)
  })

  test('an app shell with an origin of its own can be allowed', async () => {
    const allowedOrigins = ['capacitor://localhost']
    expect(await statusFor({ Origin: 'capacitor://localhost' }, { allowedOrigins })).toBe(200)
  })
})

describe('allowedOrigins as a function', () => {
  const preview = (origin: string) => /^https:\/\/pr-\d+\.app\.example$/.test(origin)

  test('serves the origins that it answers true for, with CORS headers', async () => {
    const { broker, lines } = createTestBroker({ allowedOrigins: preview })
    const { status, headers } = await ask(broker, { headers: { Origin: 'https://pr-7.app.example' } })
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('https://pr-7.app.example')
    expect(await statusFor({ Origin: EVIL }, { allowedOrigins: preview })).toBe(403)
    expect((await ask(broker, { method: 'OPTIONS', headers: { Origin: EVIL } })).status).toBe(403)
    expect(lines).toEqual([])
  })

  test('is not asked about a sandboxed frame, or where no origin is named', async () => {
    const allowedOrigins = vi.fn(() => true)
    const { broker } = createTestBroker({ allowedOrigins })
    const { status, headers } = await ask(broker, { headers: { Origin: 'null' } })
    expect(status).toBe(403)
    expect(headers.has('access-control-allow-origin')).toBe(false)
    expect((await ask(broker)).status).toBe(200)
    expect(allowedOrigins).not.toHaveBeenCalled()
  })

  test.each([
    [
      'throws',
      () => {
        throw new RangeError(EVIL)
      },
      /threw RangeError/,
    ],
    ['answers a promise', async () => true, /no promise/],
    ['answers a promise that rejects', () => Promise.reject(new Error(EVIL)), /no promise/],
    ['answers nothing', () => undefined, /true or false/],
  ])('one that %s lets nobody in, and the log says why, once', async (_, answer, line) => {
    const { broker, lines } = createTestBroker({ allowedOrigins: answer as unknown as () => boolean })
    const { status, headers } = await ask(broker, { headers: { Origin: EVIL } })
    expect(status).toBe(403)
    expect(headers.has('access-control-allow-origin')).toBe(false)
    await ask(broker, { headers: { Origin: EVIL } })
    expect(lines).toEqual([expect.stringMatching(line)])
    expect(lines.join()).not.toContain(EVIL)
  })
})

describe('every answer', () => {
  test.each([
    ['a token', {}, {}],
    ['a failure', { user: () => null }, {}],
    ['a refusal', {}, { headers: { Origin: EVIL } }],
  ])(
    '%s is read as what it is, loaded by no other site, and kept apart by caches',
    async (_, options, init) => {
      const { broker } = createTestBroker(options)
      expect(Object.fromEntries((await ask(broker, init)).headers)).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        vary: 'Cookie, Authorization',
      })
    },
  )

  test('to an allowed origin may be loaded there, and no answer to another', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    const policyFor = async (origin: string) =>
      (await ask(broker, { headers: { Origin: origin } })).headers.get('cross-origin-resource-policy')
    expect(await policyFor(PARTNER)).toBe('cross-origin')
    expect(await policyFor(EVIL)).toBe('same-origin')
    expect(await policyFor('https://app.example')).toBe('same-origin')
  })
})

describe('CORS headers', () => {
  const cors = {
    'access-control-allow-origin': PARTNER,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'Retry-After',
    vary: 'Origin, Cookie, Authorization',
  }
  const asPartner = { headers: { Origin: PARTNER, 'Sec-Fetch-Site': 'cross-site' } }

  test('are on an answer with a token', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    expect(Object.fromEntries((await ask(broker, asPartner)).headers)).toMatchObject(cors)
  })

  test.each([
    ['nobody is signed in', { user: () => null }, 401],
    ['user() throws', { user: () => Promise.reject(new Error('x')) }, 500],
    ['the uid is bad', { user: () => ({ uid: '256' }) }, 500],
    [
      'user() throws a Response',
      {
        user: () => {
          throw new Response(null, { status: 302, headers: { Location: '/sign-in' } })
        },
      },
      302,
    ],
  ])('are on the answer when %s', async (_, options, status) => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER], ...options })
    const reply = await ask(broker, asPartner)
    expect(reply.status).toBe(status)
    expect(Object.fromEntries(reply.headers)).toMatchObject(cors)
  })

  test('are on a failure of Weavy, with the time to wait', async () => {
    weavy.next(() => new Response(null, { status: 503, headers: { 'Retry-After': '7' } }))
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    const { headers } = await ask(broker, asPartner)
    expect(Object.fromEntries(headers)).toMatchObject({ ...cors, 'retry-after': '7' })
  })

  test('are on a 405', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    const { headers } = await ask(broker, { ...asPartner, method: 'POST' })
    expect(Object.fromEntries(headers)).toMatchObject(cors)
  })

  test('answer a preflight with the headers that it asks for', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    const { status, headers } = await ask(broker, {
      method: 'OPTIONS',
      headers: {
        ...asPartner.headers,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization,x-csrf-token',
      },
    })
    expect(status).toBe(204)
    expect(Object.fromEntries(headers)).toMatchObject({
      ...cors,
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'authorization,x-csrf-token',
      vary: 'Origin, Cookie, Authorization, Access-Control-Request-Headers',
    })
    expect(weavy.calls).toEqual([])
  })

  test('are never sent to an origin that is not allowed', async () => {
    const { broker } = createTestBroker({ allowedOrigins: [PARTNER] })
    for (const method of ['GET', 'OPTIONS', 'POST']) {
      const { status, headers } = await ask(broker, { method, headers: { Origin: EVIL } })
      expect(status).toBeGreaterThanOrEqual(403)
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(headers.get('vary')).toBe('Origin, Cookie, Authorization')
    }
  })

  test('are absent where no other origin is allowed', async () => {
    const { broker } = createTestBroker()
    const { headers } = await ask(broker, { headers: { Origin: 'https://app.example' } })
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})
