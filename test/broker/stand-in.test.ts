import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { ask, askForNewToken, askForToken, createTestBroker } from './ask.js'

let weavy: StandInWeavy
beforeEach(async () => {
  weavy = await createStandInWeavy()
})
afterEach(() => weavy.close())

function create(options = {}) {
  return createTestBroker({ weavyUrl: weavy.url, apiKey: weavy.apiKey, ...options })
}

async function asUser(token: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${weavy.url}/api/user`, { headers: { Authorization: `Bearer ${token}` } })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const kinds = () => weavy.requests.map(({ kind, uid, status }) => `${kind} ${uid} ${status}`)

describe('against a whole environment', () => {
  test('a token is that of the user, whom Weavy creates', async () => {
    const { broker } = create()
    expect(await asUser(await askForToken(broker))).toMatchObject({
      status: 200,
      body: { uid: 'u256', name: 'Ada' },
    })
  })

  test('a revoked token is replaced, and the new one works', async () => {
    const { broker } = create()
    const first = await askForToken(broker)
    weavy.revokeAll()
    expect(await askForToken(broker)).toBe(first)
    expect((await asUser(first)).status).toBe(401)
    const second = await askForNewToken(broker)
    expect((await asUser(second)).status).toBe(200)
    expect(await askForToken(broker)).toBe(second)
  })

  test('every token is alive when it is handed out, over several short lives', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { broker } = create({ expiresIn: 1 })
    const tokens = new Set<unknown>()
    for (let ms = 0; ms < 3000; ms += 20) {
      const token = await askForToken(broker)
      expect((await asUser(token)).status).toBe(200)
      tokens.add(token)
      vi.advanceTimersByTime(20)
    }
    expect(tokens.size).toBeGreaterThanOrEqual(3)
    expect(tokens.size).toBeLessThanOrEqual(5)
  })

  test('syncProfile renames a user whom Weavy knows already', async () => {
    const profile = { uid: 'u256', name: 'Ada' }
    const { broker } = create({ syncProfile: true, user: () => profile })
    const token = await askForToken(broker)
    profile.name = 'Countess'
    expect(await askForToken(broker)).toBe(token)
    expect((await asUser(token)).body.name).toBe('Countess')
    expect(kinds()).toEqual(['token u256 200', 'profile u256 200', 'profile u256 200', 'api u256 200'])
  })

  test('an unusual uid arrives as it is', async () => {
    const uid = 'auth0|5f7c+å%2F?#'
    const { broker } = create({ user: () => ({ uid }) })
    expect((await asUser(await askForToken(broker))).body.uid).toBe(uid)
  })

  test('a wrong key is a 502, and the log says what to check', async () => {
    const { broker, lines } = create({ apiKey: 'wys_wrong' })
    expect((await ask(broker)).status).toBe(502)
    expect(lines).toEqual([expect.stringMatching(/refused|401.*apiKey/)])
  })

  test('an environment that is not there is a 503 that names the reason', async () => {
    await weavy.close()
    const { broker, lines } = create()
    expect((await ask(broker)).status).toBe(503)
    expect(lines).toEqual([expect.stringMatching(/ECONNREFUSED/)])
  })
})
