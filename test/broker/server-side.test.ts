import { describe, expect, test, vi } from 'vitest'
import { type BrokerEvent, createTokenBroker, isTokenError, type TokenError } from '../../src/broker/index.js'
import { blocksOf, runBlock } from '../documented.js'
import { settle } from '../settle.js'
import {
  ask,
  askAfterRefusal,
  askForToken,
  createTestBroker,
  SUB,
  startNewProcess,
  TOKEN_URL,
} from './ask.js'
import { API_KEY, createScriptedWeavy, WEAVY_URL } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

describe('broker.token()', () => {
  test('gives server code the token that the pages of the user have', async () => {
    const { broker, user } = createTestBroker()
    const token = await askForToken(broker)
    expect(await broker.token(user)).toEqual({
      access_token: token,
      expires_in: expect.any(Number),
      sub: SUB,
    })
    expect((await broker.token(user, { refresh: true })).access_token).toBe('wyu_2')
    expect((await broker.token(user, { refresh: true })).access_token).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('shares the call that a page has begun', async () => {
    const { broker, user } = createTestBroker()
    const [page, { access_token }] = await Promise.all([askForToken(broker), broker.token(user)])
    expect(access_token).toBe(page)
    expect(weavy.calls).toHaveLength(1)
  })

  test.each([
    ['nobody', null, undefined, 'signed_out', 401],
    ['a uid that cannot exist', { uid: 'secret id' }, undefined, 'broker_error', 500],
    ['a Weavy that is down', { uid: 'u1' }, 503, 'unreachable', 503],
    ['a Weavy that limits the rate', { uid: 'u1' }, 429, 'rate_limited', 429],
    ['a refused key', { uid: 'u1' }, 401, 'broker_error', 502],
  ])('%s: rejects with a TokenError', async (_, user, answer, code, status) => {
    const { broker } = createTestBroker()
    if (answer) weavy.next(() => new Response(null, { status: answer, headers: { 'Retry-After': '7' } }))
    const error = await broker.token(user).then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(isTokenError(error)).toBe(true)
    expect(error).toMatchObject({ code, status, message: expect.stringMatching(/^[A-Z][\w ]+\. [A-Z].+\.$/) })
    const isToldToWait = status === 503 || status === 429
    expect((error as TokenError).retryAfterMs).toBe(isToldToWait ? 7_000 : undefined)
    expect(String(error)).not.toMatch(/secret/)
  })

  test('a Weavy that hangs: rejects with a timeout', async () => {
    vi.useFakeTimers()
    try {
      const { broker } = createTestBroker({ fetch: () => new Promise<never>(() => {}) })
      const answer = expect(broker.token({ uid: 'u1' })).rejects.toMatchObject({
        code: 'timeout',
        status: 504,
      })
      await vi.advanceTimersByTimeAsync(60_000)
      await answer
    } finally {
      vi.useRealTimers()
    }
  })
})

test('what nobody foresaw is an error of the broker, and the log says what and where, and quotes nothing', async () => {
  const { broker, lines } = createTestBroker()
  const user = {
    get uid(): string {
      throw new RangeError('secret')
    },
  }
  await expect(broker.token(user)).rejects.toMatchObject({ code: 'broker_error', status: 500 })
  expect(lines).toEqual([expect.stringMatching(/^weavy-token broker: Unforeseen: RangeError at [^\n]+$/)])
  expect(lines.join()).not.toContain('secret')
})

describe('one memory per process', () => {
  test('forget() in one instance of the module is heard by another, which has made a broker of its own', async () => {
    startNewProcess()
    const options = { weavyUrl: WEAVY_URL, apiKey: API_KEY, user: () => ({ uid: 'u256' }) }
    const route = createTokenBroker(options)
    vi.resetModules()
    const { createTokenBroker: create } = await import('../../src/broker/index.js')
    const action = create(options)
    const token = await askForToken(route)
    expect((await action.token({ uid: 'u256' })).access_token).toBe(token)
    expect(await action.forget('u256')).toBe(true)
    expect(await askForToken(route)).not.toBe(token)
  })
})

describe('a runtime that forbids to wait for what another request has opened', () => {
  test('each request asks for itself, so a cancelled one takes nobody with it', async () => {
    vi.stubGlobal('WebSocketPair', class {})
    try {
      // The first request is cancelled: what it waits for never settles.
      const fetch = vi.fn().mockReturnValueOnce(new Promise(() => {}))
      fetch.mockImplementation(async () => Response.json({ access_token: 'wyu_2', expires_in: 3600 }))
      const { broker } = createTestBroker({ fetch })
      ask(broker).catch(() => {})
      await settle()
      expect((await ask(broker)).body.access_token).toBe('wyu_2')
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('events', () => {
  test('one per request, frozen, and nothing in it that is anybody’s business', async () => {
    const began = performance.now()
    const events: BrokerEvent[] = []
    const user = vi.fn().mockReturnValue({ uid: 'u256' })
    const { broker } = createTestBroker({ onEvent: (event) => events.push(event), user })
    await Promise.all([ask(broker), ask(broker)])
    await ask(broker)
    await askAfterRefusal(broker, 'wyu_1')
    user.mockReturnValueOnce(null)
    await ask(broker)
    weavy.next(() => new Response(null, { status: 500 }))
    await ask(broker, {}, `${TOKEN_URL}?refresh=true&refused=${'x'.repeat(22)}`)
    user.mockRejectedValueOnce(new Response(null, { status: 302 }))
    await ask(broker)
    // One that cannot be sent.
    user.mockRejectedValueOnce(Response.error())
    await ask(broker)
    expect(events.map(({ durationMs: _, ...event }) => event)).toEqual([
      { type: 'issued', status: 200, called: true },
      { type: 'issued', status: 200, called: false },
      { type: 'reused', status: 200 },
      { type: 'replaced', status: 200, called: true },
      { type: 'refused', status: 401, code: 'not_signed_in' },
      { type: 'failed', status: 503, code: 'weavy_unavailable' },
      { type: 'refused', status: 302, code: 'answered_by_user' },
      { type: 'failed', status: 500, code: 'user_failed' },
    ])
    for (const event of events) {
      expect(Object.isFrozen(event)).toBe(true)
      expect(event.durationMs).toBeGreaterThanOrEqual(0)
      expect(event.durationMs).toBeLessThanOrEqual(performance.now() - began)
    }
    expect(JSON.stringify(events)).not.toMatch(/wyu_|wys_|u256|https?:/)
    expect(JSON.stringify(events)).not.toContain(SUB)
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('secret')
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
  ])('a hook that %s harms no request, and is told of once', async (_, onEvent) => {
    const { broker, lines } = createTestBroker({ onEvent })
    for (let n = 0; n < 3; n++) {
      expect((await ask(broker)).status).toBe(200)
      expect(lines).toEqual([expect.stringMatching(/onEvent\(\) failed: Error/)])
    }
    expect(lines.join()).not.toMatch(/secret/)
  })
})

describe('the Express route of docs/broker.md', () => {
  test('calls Weavy as the user of the request, and once more after a refusal; nobody is told 401', async () => {
    const { broker } = createTestBroker()
    const seen: (string | null)[] = []
    const asked = vi.fn(async (_: string, init: { headers: { Authorization: string } }) => {
      seen.push(init.headers.Authorization)
      return seen.length === 1 ? new Response('{}', { status: 401 }) : Response.json({ count: 3 })
    })
    const blocks = new Map(blocksOf('docs/broker.md'))
    blocks.set('broker.ts', 'export const broker = globalThis.testBroker')
    Object.assign(globalThis, { testBroker: broker })
    const change = (code: string) =>
      code
        .replace("import { toUid } from 'weavy-token/broker'", "const toUid = (id) => 'u' + id")
        .replace('return fetch(', 'return globalThis.testFetch(')
    Object.assign(globalThis, { testFetch: asked })
    const { unread } = await runBlock<{ unread: (request: unknown, response: unknown) => Promise<void> }>(
      blocks,
      'notify.ts',
      change,
    )
    const response = { status: vi.fn().mockReturnThis(), json: vi.fn(), sendStatus: vi.fn() }
    await unread({ session: {} }, response)
    expect(response.sendStatus).toHaveBeenCalledWith(401)
    expect(seen).toEqual([])
    await unread({ session: { userId: 256 } }, response)
    expect(seen).toEqual(['Bearer wyu_1', 'Bearer wyu_2'])
    expect(response.status).toHaveBeenCalledWith(200)
    expect(response.json).toHaveBeenCalledWith({ count: 3 })
  })
})
