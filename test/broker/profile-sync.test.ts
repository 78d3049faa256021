import { afterEach, describe, expect, test, vi } from 'vitest'
import type { BrokerUser, TokenStore } from '../../src/broker/index.js'
import { PROFILE_SYNC_TIMEOUT_MS } from '../../src/broker/profile-sync.js'
import { USER_TIMEOUT_MS } from '../../src/broker/signed-in-user.js'
import { REQUEST_TIMEOUT_MS } from '../../src/broker/token-broker.js'
import { PROFILE_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { DEFAULT_RETRY_AFTER } from '../../src/broker/weavy-failure.js'
import { settle } from '../settle.js'
import { ask, askForToken, createTestBroker } from './ask.js'
import { hearDigests } from './digested.js'
import { API_KEY, createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const digested = hearDigests()

const weavy = createScriptedWeavy()

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function createStage(options = {}) {
  const profile: BrokerUser = { uid: 'u256', name: 'Ada', picture: 'https://app.example/ada.png' }
  return { profile, ...createTestBroker({ syncProfile: true, user: () => profile, ...options }) }
}

const names = () => weavy.callsTo('PUT').map(({ body }) => body.name)

test('is off by default', async () => {
  const { broker } = createTestBroker()
  await ask(broker)
  expect(weavy.callsTo('PUT')).toEqual([])
})

describe('syncProfile', () => {
  test('updates the user with the API key, after the token and before the answer', async () => {
    const { broker, lines } = createStage()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(weavy.calls.map(({ method }) => method)).toEqual(['POST', 'PUT'])
    const [call] = weavy.callsTo('PUT')
    expect(call?.url).toBe(`${WEAVY_URL}/api/users/u256`)
    expect(call?.headers.get('authorization')).toBe(`Bearer ${API_KEY}`)
    expect(call?.body).toEqual({ name: 'Ada', picture: 'https://app.example/ada.png' })
    expect(lines).toEqual([])
  })

  test('does so once per change, also when a stored token is reused', async () => {
    const { broker, profile } = createStage()
    for (const name of ['Ada', 'Ada', 'Countess', 'Countess', 'Ada']) {
      profile.name = name
      await ask(broker)
    }
    expect(names()).toEqual(['Ada', 'Countess', 'Ada'])
    expect(weavy.callsTo('POST')).toHaveLength(1)
  })

  test('does not do so again when the token is replaced, forgotten or expired', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    vi.advanceTimersByTime(1)
    const { broker } = createStage()
    await ask(broker)
    await ask(broker, {}, 'https://app.example/?refresh=true')
    await broker.forget('u256')
    await ask(broker)
    vi.advanceTimersByTime(86_400_000)
    await ask(broker)
    expect(weavy.callsTo('POST')).toHaveLength(4)
    expect(names()).toEqual(['Ada'])
  })

  test('costs one call for requests at the same time', async () => {
    const { broker } = createStage()
    await Promise.all(Array.from({ length: 10 }, () => ask(broker)))
    expect(names()).toEqual(['Ada'])
  })

  test('sends two profiles at the same time one after the other, so the later one stays', async () => {
    const user = vi.fn()
    const { broker } = createTestBroker({ syncProfile: true, user })
    for (const name of ['Ada', 'Countess']) user.mockReturnValueOnce({ uid: 'u256', name })
    await Promise.all([ask(broker), ask(broker)])
    expect(names().sort()).toEqual(['Ada', 'Countess'])
    user.mockReturnValueOnce({ uid: 'u256', name: weavy.callsTo('PUT')[1]?.body.name })
    await ask(broker)
    expect(weavy.callsTo('PUT')).toHaveLength(2)
  })

  test('takes the same fields in another order for the same profile', async () => {
    const user = vi.fn()
    const { broker } = createTestBroker({ syncProfile: true, user })
    user.mockReturnValueOnce({ uid: 'u256', name: 'Ada', metadata: { a: null, b: [{ c: 1, d: 2 }] } })
    user.mockReturnValueOnce({ metadata: { b: [{ d: 2, c: 1 }], a: null }, name: 'Ada', uid: 'u256' })
    user.mockReturnValueOnce({ metadata: { b: [{ d: 2, c: 3 }], a: null }, name: 'Ada', uid: 'u256' })
    for (let i = 0; i < 3; i++) await ask(broker)
    expect(weavy.callsTo('PUT').map(({ body }) => body.metadata)).toEqual([
      { a: null, b: [{ c: 1, d: 2 }] },
      { a: null, b: [{ c: 3, d: 2 }] },
    ])
  })

  test('for each user of each environment, also with the same profile', async () => {
    const store = new Map<string, unknown>()
    const updates: string[] = []
    const fetch = async (url: RequestInfo | URL, init?: RequestInit) => {
      if (init?.method === 'PUT') updates.push(String(url))
      return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
    }
    for (const weavyUrl of [WEAVY_URL, 'https://other.weavy.test'])
      for (const uid of ['u256', 'u257', 'u256'])
        await ask(createStage({ store, fetch, weavyUrl, user: () => ({ uid, name: 'Ada' }) }).broker)
    expect(updates).toEqual([
      `${WEAVY_URL}/api/users/u256`,
      `${WEAVY_URL}/api/users/u257`,
      'https://other.weavy.test/api/users/u256',
      'https://other.weavy.test/api/users/u257',
    ])
  })

  test('once for all processes that share a store, which sees no profile', async () => {
    const store = new Map<string, unknown>()
    await ask(createStage({ store }).broker)
    await ask(createStage({ store }).broker)
    expect(names()).toEqual(['Ada'])
    expect(JSON.stringify([...store])).not.toMatch(/Ada|picture/)
  })

  test('a user without a profile, as server code may give one, changes none', async () => {
    const { broker } = createStage()
    for (let i = 0; i < 3; i++) {
      await ask(broker)
      await broker.token({ uid: 'u256' })
    }
    expect(names()).toEqual(['Ada'])
    expect(weavy.callsTo('PUT')).toHaveLength(1)
  })

  test('a method of a user is no field, so it changes none, too', async () => {
    const user = { uid: 'u256', comment: () => 'a method' } as unknown as BrokerUser
    const { broker } = createStage({ user: () => user })
    await ask(broker)
    expect(weavy.calls.map(({ method }) => method)).toEqual(['POST'])
  })

  describe('with a store that does not work', () => {
    const broken = () => Promise.reject(new Error('gone'))

    test.each<[string, TokenStore]>([
      ['fails', { get: broken, set: broken, delete: broken }],
      [
        'fails as Keyv does',
        { get: async () => undefined, set: async () => false, delete: async () => false },
      ],
      ['takes no writes', { get: async () => undefined, set: async () => true, delete: async () => true }],
    ])('one that %s costs one call per change', async (_, store) => {
      const { broker, profile } = createStage({ store })
      for (const name of ['Ada', 'Ada', 'Ada', 'Countess', 'Countess', 'Ada']) {
        profile.name = name
        await ask(broker)
      }
      expect(names()).toEqual(['Ada', 'Countess', 'Ada'])
    })

    test('one that has failed since: what it took is known, and what it missed is told when it works', async () => {
      const entries = new Map<string, unknown>()
      let isDown = false
      const meet = async <T>(work: () => T) => (isDown ? broken() : work())
      const store: TokenStore = {
        get: (key) => meet(() => entries.get(key)),
        set: (key, value) => meet(() => entries.set(key, value)),
        delete: (key) => meet(() => entries.delete(key)),
      }
      const { broker, profile } = createStage({ store })
      await ask(broker)
      isDown = true
      await ask(broker)
      expect(names()).toEqual(['Ada'])
      profile.name = 'Countess'
      await ask(broker)
      await ask(broker)
      expect(names()).toEqual(['Ada', 'Countess'])
      isDown = false
      await ask(broker)
      await ask(createStage({ store, user: () => profile }).broker)
      expect(names()).toEqual(['Ada', 'Countess', 'Countess'])
    })

    test('one in which another process has written since is believed', async () => {
      const entries = new Map<string, unknown>()
      let isReadOnly = false
      const store: TokenStore = {
        get: async (key) => entries.get(key),
        set: async (key, value) => void (isReadOnly || entries.set(key, value)),
        delete: async (key) => void entries.delete(key),
      }
      const { broker, profile } = createStage({ store })
      const other = createStage({ store })
      other.profile.name = 'Countess'
      isReadOnly = true
      await ask(broker)
      await ask(broker)
      isReadOnly = false
      await ask(other.broker)
      await ask(broker)
      expect(profile.name).toBe('Ada')
      expect(names()).toEqual(['Ada', 'Countess', 'Ada'])
    })
  })

  test('on Workers a request does not wait for the update of another, whose promise may never settle', async () => {
    vi.stubGlobal('WebSocketPair', class {})
    let updates = 0
    const fetch = async (_: unknown, init?: RequestInit) => {
      if (init?.method !== 'PUT') return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
      updates += 1
      return updates === 1 ? new Promise<Response>(() => {}) : new Response('{}')
    }
    vi.useFakeTimers()
    const { broker } = createStage({ fetch })
    const cut = ask(broker)
    while (updates < 1) await settle()
    vi.clearAllTimers()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(updates).toBe(2)
    expect(cut).toBeInstanceOf(Promise)
  })

  test.each([500, 503, 429, 401, 404])(
    'a %i from Weavy costs no token, and it is tried again after a rest',
    async (status) => {
      vi.useFakeTimers({ toFake: ['performance'] })
      const { broker, lines } = createStage()
      weavy.next(
        () => Response.json({ access_token: 'wyu_x', expires_in: 3600 }),
        () => new Response(null, { status }),
      )
      expect(await askForToken(broker)).toBe('wyu_x')
      expect(await askForToken(broker)).toBe('wyu_x')
      expect(names()).toEqual(['Ada'])
      vi.advanceTimersByTime(DEFAULT_RETRY_AFTER * 1000)
      expect(await askForToken(broker)).toBe('wyu_x')
      await vi.waitFor(() => expect(names()).toEqual(['Ada', 'Ada']))
      await vi.waitFor(() => expect(lines).toHaveLength(2))
      expect(lines).toEqual([
        expect.stringMatching(new RegExp(`Updating a profile failed: Weavy.*${status}`)),
        expect.stringMatching(/Weavy takes profiles again/),
      ])
      expect(await askForToken(broker)).toBe('wyu_x')
      expect(names()).toEqual(['Ada', 'Ada'])
    },
  )

  test.each([400, 422])('a %i is final: it is tried again when the profile has changed', async (status) => {
    const { broker, profile, lines } = createStage()
    weavy.next(
      () => Response.json({ access_token: 'wyu_x', expires_in: 60 }),
      () => new Response(null, { status }),
    )
    for (const name of ['Ada', 'Ada', 'Countess']) {
      profile.name = name
      expect(await askForToken(broker)).toBe('wyu_x')
    }
    expect(names()).toEqual(['Ada', 'Countess'])
    expect(lines).toHaveLength(1)
  })

  test('a profile that cannot be written as JSON costs no stored token', async () => {
    const { broker, profile, lines } = createStage()
    await ask(broker)
    profile.metadata = { id: 1n }
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(lines).toEqual([expect.stringMatching(/JSON/)])
  })

  test('when Weavy hangs, a token that is there waits once for its bound, and never again until Weavy answers', async () => {
    vi.useFakeTimers()
    let updates = 0
    const fetch = async (_: unknown, init?: RequestInit) => {
      if (init?.method !== 'PUT') return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
      updates += 1
      return new Promise<Response>(() => {})
    }
    const untilUpdates = async (count: number) => {
      while (updates < count) await settle()
    }
    expect(PROFILE_TIMEOUT_MS).toBeLessThan(PROFILE_SYNC_TIMEOUT_MS)
    const { broker, lines } = createStage({ fetch })
    const reply = askForToken(broker)
    await untilUpdates(1)
    await vi.advanceTimersByTimeAsync(PROFILE_TIMEOUT_MS)
    expect(await reply).toBe('wyu_1')
    const failed = [expect.stringMatching(/Updating a profile failed: Weavy did not answer within 2000 ms/)]
    expect(lines).toEqual(failed)

    for (let i = 0; i < 20; i++) expect(await askForToken(broker)).toBe('wyu_1')
    await digested()
    expect(updates).toBe(1)
    await vi.advanceTimersByTimeAsync(DEFAULT_RETRY_AFTER * 1000)
    // One looks whether Weavy answers; nobody waits for it.
    for (let i = 0; i < 20; i++) expect(await askForToken(broker)).toBe('wyu_1')
    await untilUpdates(2)
    await digested()
    await vi.advanceTimersByTimeAsync(PROFILE_TIMEOUT_MS)
    expect(updates).toBe(2)
    expect(lines).toEqual(failed)
  })

  test('is not tried while Weavy issues no tokens', async () => {
    const { broker, lines, profile } = createStage()
    weavy.next(
      () => Response.json({ access_token: 'wyu_x', expires_in: 3600 }),
      () => Response.json({}),
      () => new Response(null, { status: 429, headers: { 'Retry-After': '60' } }),
    )
    await ask(broker)
    expect((await ask(broker, {}, 'https://app.example/?refresh=true')).status).toBe(429)
    profile.name = 'Countess'
    expect(await askForToken(broker)).toBe('wyu_x')
    expect(names()).toEqual(['Ada'])
    expect(lines).toEqual([expect.stringMatching(/Issuing a token failed: Weavy answered 429/)])
  })

  test('a request that has had its time is answered, and that is not taken for a profile that cannot be written', async () => {
    vi.useFakeTimers()
    let isUpdating = false
    const fetch = async (_: unknown, init?: RequestInit) => {
      if (init?.method !== 'PUT') return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
      isUpdating = true
      return new Promise<Response>(() => {})
    }
    const user = async () => {
      await new Promise((resolve) => setTimeout(resolve, USER_TIMEOUT_MS - 1))
      return { uid: 'u256', name: 'Ada' }
    }
    const { broker, lines } = createStage({ fetch, user })
    const reply = askForToken(broker)
    await vi.advanceTimersByTimeAsync(USER_TIMEOUT_MS)
    while (!isUpdating) await settle()
    await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS - USER_TIMEOUT_MS)
    expect(await reply).toBe('wyu_1')
    expect(lines).toEqual([expect.stringMatching(/took too long: the token was sent without waiting/)])
  })
})
