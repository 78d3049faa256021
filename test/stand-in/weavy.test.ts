import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { asUser, issueToken } from './requests.js'

let weavy: StandInWeavy
beforeEach(async () => {
  weavy = await createStandInWeavy()
})
afterEach(async () => {
  vi.useRealTimers()
  await weavy.close()
})

describe('user tokens', () => {
  test('a token lives for as long as was asked, or an hour', async () => {
    expect(await issueToken(weavy, 'alice', { expires_in: 5 })).toMatchObject({ expires_in: 5 })
    expect(await issueToken(weavy, 'alice')).toMatchObject({
      access_token: expect.stringMatching(/^wyu_/),
      expires_in: 3600,
    })
  })

  test('lifetimeSeconds overrides what a request asks for, for tokens issued from then on', async () => {
    weavy.lifetimeSeconds = 0.5
    expect(await issueToken(weavy, 'alice', { expires_in: 60 })).toMatchObject({ expires_in: 0.5 })
    weavy.lifetimeSeconds = null
    expect(await issueToken(weavy, 'alice', { expires_in: 60 })).toMatchObject({ expires_in: 60 })
  })

  test('a token is refused from the millisecond of its expiry on', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const { access_token } = await issueToken(weavy, 'alice', { expires_in: 6 })
    vi.advanceTimersByTime(5_999)
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(200)
    vi.advanceTimersByTime(1)
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(401)
    expect(weavy.requests.at(-1)).toMatchObject({ uid: 'alice', tokenId: 1, status: 401, refused: 'expired' })
  })

  test('a wall clock that is set back gives a token no longer life', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] })
    const { access_token } = await issueToken(weavy, 'alice', { expires_in: 6 })
    vi.advanceTimersByTime(6_000)
    vi.setSystemTime(Date.now() - 3_600_000)
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(401)
  })

  test('revoke kills the tokens of one user, revokeAll those of everybody, and new ones live', async () => {
    const alice = await issueToken(weavy, 'alice')
    const bob = await issueToken(weavy, 'bob')
    weavy.revoke('alice')
    expect((await asUser(weavy, alice.access_token, '/api/user')).status).toBe(401)
    expect(weavy.requests.at(-1)?.refused).toBe('revoked')
    expect((await asUser(weavy, bob.access_token, '/api/user')).status).toBe(200)
    weavy.revokeAll()
    expect((await asUser(weavy, bob.access_token, '/api/user')).status).toBe(401)
    const next = await issueToken(weavy, 'bob')
    expect((await asUser(weavy, next.access_token, '/api/user')).status).toBe(200)
  })

  test('no token, an unknown one and the API key open nothing of a user', async () => {
    expect((await fetch(`${weavy.url}/api/user`)).status).toBe(401)
    expect((await asUser(weavy, 'wyu_unknown', '/api/user')).status).toBe(401)
    expect((await asUser(weavy, weavy.apiKey, '/api/user')).status).toBe(401)
    expect(weavy.requests.map(({ refused }) => refused)).toEqual(['missing', 'unknown', 'unknown'])
  })
})

describe('the API key', () => {
  test.each([
    ['missing', {}],
    ['unknown', { authorization: 'Bearer wys_another' }],
  ])('a token request whose key is %s is refused', async (refused, headers) => {
    const response = await fetch(`${weavy.url}/api/users/alice/tokens`, { method: 'POST', headers })
    expect(response.status).toBe(401)
    expect(weavy.requests).toMatchObject([{ kind: 'token', uid: 'alice', status: 401, refused }])
  })

  test.each(['123', 'al ice', 'a\tb'])('the uid %j is refused, as Weavy does', async (uid) => {
    const headers = { authorization: `Bearer ${weavy.apiKey}` }
    const url = `${weavy.url}/api/users/${encodeURIComponent(uid)}`
    expect((await fetch(`${url}/tokens`, { method: 'POST', headers })).status).toBe(400)
    expect((await fetch(url, { method: 'PUT', headers, body: '{}' })).status).toBe(400)
  })

  test('a token request names a new user, only a profile update renames a known one', async () => {
    const { access_token } = await issueToken(weavy, 'alice', { name: 'Alice' })
    await issueToken(weavy, 'alice', { name: 'Eve' })
    const name = async () => (await asUser(weavy, access_token, '/api/user')).json()
    expect(await name()).toMatchObject({ uid: 'alice', name: 'Alice' })
    const headers = { authorization: `Bearer ${weavy.apiKey}` }
    await fetch(`${weavy.url}/api/users/alice`, { method: 'PUT', headers, body: '{"name":"Alicia"}' })
    expect(await name()).toMatchObject({ uid: 'alice', name: 'Alicia' })
  })
})

describe('faults', () => {
  test('a delayed request is judged when it is answered, or at its arrival where it says so', async () => {
    const { access_token } = await issueToken(weavy, 'alice')
    const late = asUser(weavy, access_token, '/api/user?delay=200')
    const early = asUser(weavy, access_token, '/api/user?delay=200&judge=arrival')
    // Its answer shows that both have arrived.
    await asUser(weavy, access_token, '/api/user?n=3')
    weavy.revokeAll()
    expect((await late).status).toBe(401)
    expect((await early).status).toBe(200)
    const delayed = weavy.requests.slice(-2)
    for (const { ms } of delayed) expect(ms).toBeGreaterThan(190)
    expect(delayed.map(({ refused }) => refused)).toEqual(expect.arrayContaining(['revoked', undefined]))
  })

  test('a forbidden path is 403 for a living token and 401 for a dead one', async () => {
    const { access_token } = await issueToken(weavy, 'alice')
    weavy.forbid('/api/us')
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(403)
    expect(weavy.requests.at(-1)).toMatchObject({ status: 403, refused: 'forbidden' })
    expect((await asUser(weavy, access_token, '/api/apps')).status).toBe(200)
    weavy.forbid('/api/us', false)
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(200)
    weavy.forbid('/api/us')
    weavy.revokeAll()
    expect((await asUser(weavy, access_token, '/api/user')).status).toBe(401)
  })
})

describe('records', () => {
  test('a request is recorded with its kind, its user and its token, without its query', async () => {
    const { access_token } = await issueToken(weavy, 'alice')
    await fetch(`${weavy.url}/version`)
    await asUser(weavy, access_token, '/api/apps?secret=1')
    await asUser(weavy, access_token, '/hubs/rtm/negotiate', { method: 'POST' })
    const form = new FormData()
    form.append('blob', new File(['hello'], 'a.txt', { type: 'text/plain' }))
    await asUser(weavy, access_token, '/api/blobs', { method: 'POST', body: form })
    expect(weavy.requests).toMatchObject([
      {
        kind: 'token',
        method: 'POST',
        path: '/api/users/alice/tokens',
        uid: 'alice',
        tokenId: 1,
        status: 200,
      },
      { kind: 'version', method: 'GET', path: '/version', status: 200 },
      { kind: 'api', method: 'GET', path: '/api/apps', uid: 'alice', tokenId: 1, status: 200 },
      { kind: 'negotiate', method: 'POST', path: '/hubs/rtm/negotiate', uid: 'alice', status: 200 },
      { kind: 'upload', method: 'POST', path: '/api/blobs', uid: 'alice', tokenId: 1, status: 200 },
    ])
    expect(JSON.stringify(weavy.requests)).not.toMatch(/wyu_|wys_|secret/)
  })
})

describe('pages of any origin', () => {
  const origin = 'https://app.example'

  test('may ask, with credentials as the hub does and with any header', async () => {
    const response = await fetch(`${weavy.url}/hubs/rtm/negotiate`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,x-signalr-user-agent',
      },
    })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'authorization,x-signalr-user-agent',
    })
    expect(weavy.requests).toEqual([])
  })

  test('may read a refusal', async () => {
    const response = await fetch(`${weavy.url}/api/user`, { headers: { origin } })
    expect(response.status).toBe(401)
    expect(response.headers.get('access-control-allow-origin')).toBe(origin)
  })
})

describe('the UIKit', () => {
  test.each(['25.0.0', '27.1.1', '31.2.0', '32.2.0'])(
    '%s finds its version and its own modules',
    async (version) => {
      const older = await createStandInWeavy({ version })
      try {
        expect(await (await fetch(`${older.url}/version`)).text()).toBe(version)
        const script = await fetch(`${older.url}/uikit-web/weavy.js`)
        expect(script.headers.get('content-type')).toContain('javascript')
        expect(await script.text()).toContain(version)
        expect(older.requests).toHaveLength(1)
      } finally {
        await older.close()
      }
    },
  )
})

describe('close', () => {
  test('cuts requests that still wait for their delayed answer', async () => {
    const { access_token } = await issueToken(weavy, 'alice')
    const waiting = asUser(weavy, access_token, '/api/user?delay=60000').then(
      () => 'answered',
      () => 'cut',
    )
    await asUser(weavy, access_token, '/api/user')
    await weavy.close()
    expect(await waiting).toBe('cut')
  })

  test('frees its port for the next one, and a taken port says so', async () => {
    const port = Number(new URL(weavy.url).port)
    await expect(createStandInWeavy({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await weavy.close()
    const next = await createStandInWeavy({ port })
    expect(next.url).toBe(weavy.url)
    await next.close()
  })
})
