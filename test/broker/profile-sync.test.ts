import { afterEach, describe, expect, it, vi } from 'vitest'
import type { BrokerUser } from '../../src/broker/index.js'
import { PROFILE_SYNC_TIMEOUT_MS } from '../../src/broker/profile-sync.js'
import { PROFILE_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { ask, askForToken, createTestBroker } from './ask.js'
import { API_KEY, createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

afterEach(() => vi.useRealTimers())

function createStage(options = {}) {
  const profile: BrokerUser = { uid: 'u256', name: 'Ada', picture: 'https://app.example/ada.png' }
  return { profile, ...createTestBroker({ syncProfile: true, user: () => profile, ...options }) }
}

const names = () => weavy.callsTo('PUT').map(({ body }) => body.name)

it('is off by default', async () => {
  const { broker } = createTestBroker()
  await ask(broker)
  expect(weavy.callsTo('PUT')).toEqual([])
})

describe('syncProfile', () => {
  it('updates the user with the API key, after the token and before the answer', async () => {
    const { broker, lines } = createStage()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(weavy.calls.map(({ method }) => method)).toEqual(['POST', 'PUT'])
    const [call] = weavy.callsTo('PUT')
    expect(call?.url).toBe(`${WEAVY_URL}/api/users/u256`)
    expect(call?.headers.get('authorization')).toBe(`Bearer ${API_KEY}`)
    expect(call?.body).toEqual({ name: 'Ada', picture: 'https://app.example/ada.png' })
    expect(lines).toEqual([])
  })

  it('does so once per change, also when a stored token is reused', async () => {
    const { broker, profile } = createStage()
    for (const name of ['Ada', 'Ada', 'Countess', 'Countess', 'Ada']) {
      profile.name = name
      await ask(broker)
    }
    expect(names()).toEqual(['Ada', 'Countess', 'Ada'])
    expect(weavy.callsTo('POST')).toHaveLength(1)
  })

  it('does not do so again when the token is replaced, forgotten or expired', async () => {
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

  it('costs one call for requests at the same time', async () => {
    const { broker } = createStage()
    await Promise.all(Array.from({ length: 10 }, () => ask(broker)))
    expect(names()).toEqual(['Ada'])
  })

  it('sends two profiles at the same time one after the other, so the later one stays', async () => {
    const user = vi.fn()
    const { broker } = createTestBroker({ syncProfile: true, user })
    for (const name of ['Ada', 'Countess']) user.mockReturnValueOnce({ uid: 'u256', name })
    await Promise.all([ask(broker), ask(broker)])
    expect(names().sort()).toEqual(['Ada', 'Countess'])
    user.mockReturnValueOnce({ uid: 'u256', name: weavy.callsTo('PUT')[1]?.body.name })
    await ask(broker)
    expect(weavy.callsTo('PUT')).toHaveLength(2)
  })

  it('once for all processes that share a store, which sees no profile', async () => {
    const store = new Map<string, unknown>()
    await ask(createStage({ store }).broker)
    await ask(createStage({ store }).broker)
    expect(names()).toEqual(['Ada'])
    expect(JSON.stringify([...store])).not.toMatch(/Ada|picture/)
  })

  it.each([500, 503, 429, 401, 404])(
    'a %i from Weavy costs no token, and it is tried again',
    async (status) => {
      const { broker, lines } = createStage()
      await ask(broker)
      weavy.calls.length = 0
      const { broker: other, lines: otherLines } = createStage()
      weavy.next(
        () => Response.json({ access_token: 'wyu_x', expires_in: 60 }),
        () => new Response(null, { status }),
      )
      expect(await askForToken(other)).toBe('wyu_x')
      expect(await askForToken(other)).toBe('wyu_x')
      expect(await askForToken(other)).toBe('wyu_x')
      expect(names()).toEqual(['Ada', 'Ada'])
      expect(lines).toEqual([])
      expect(otherLines).toEqual([
        expect.stringMatching(new RegExp(`Updating a profile failed: Weavy.*${status}`)),
      ])
    },
  )

  it.each([400, 422])('a %i is final: it is tried again when the profile has changed', async (status) => {
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

  it('a profile that cannot be written as JSON costs no stored token', async () => {
    const { broker, profile, lines } = createStage()
    await ask(broker)
    profile.metadata = { id: 1n }
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(lines).toEqual([expect.stringMatching(/JSON/)])
  })

  it('when Weavy hangs, a token that is there waits no longer than its bound', async () => {
    vi.useFakeTimers()
    let isUpdating = false
    const fetch = async (_: unknown, init?: RequestInit) => {
      if (init?.method === 'PUT') {
        isUpdating = true
        return new Promise<Response>(() => {})
      }
      return Response.json({ access_token: 'wyu_1', expires_in: 3600 })
    }
    expect(PROFILE_TIMEOUT_MS).toBeLessThan(PROFILE_SYNC_TIMEOUT_MS)
    const { broker, lines } = createStage({ fetch })
    const reply = askForToken(broker)
    // The digest of the profile comes from another thread, which fake timers do not wait for.
    while (!isUpdating) await vi.advanceTimersByTimeAsync(0)
    await vi.advanceTimersByTimeAsync(PROFILE_TIMEOUT_MS)
    expect(await reply).toBe('wyu_1')
    expect(lines).toEqual([expect.stringMatching(/Updating a profile failed: Weavy did not answer/)])
  })
})
