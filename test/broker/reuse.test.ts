import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { REPLACEMENT_WINDOW_MS } from '../../src/broker/decide.js'
import type { TokenStore } from '../../src/broker/index.js'
import { ask, askForNewToken, askForToken, createTestBroker, digestOf, recordKey, SUB } from './ask.js'
import { API_KEY, createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  // lru-cache takes an entry of instant 0 for one that never ends; outside of tests no process is that young.
  vi.advanceTimersByTime(1)
})
afterEach(() => vi.useRealTimers())

/** Both clocks go on. */
function pass(seconds: number) {
  vi.advanceTimersByTime(seconds * 1000)
}

describe('a token is kept and reused', () => {
  test.each([
    [3600, 3540],
    [600, 540],
    [100, 90],
    [10, 9],
  ])('with a life of %i s for %i s, and expires_in is what remains', async (expiresIn, reused) => {
    const { broker } = createTestBroker({ expiresIn })
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_1', expires_in: expiresIn, sub: SUB })
    pass(reused - 0.1)
    expect((await ask(broker)).body).toEqual({
      access_token: 'wyu_1',
      expires_in: expiresIn - reused,
      sub: SUB,
    })
    pass(0.1)
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_2', expires_in: expiresIn, sub: SUB })
  })

  test('per user', async () => {
    const user = vi.fn()
    const { broker } = createTestBroker({ user })
    for (const [uid, token] of [
      ['u1', 'wyu_1'],
      ['u2', 'wyu_2'],
      ['u1', 'wyu_1'],
      ['u2', 'wyu_2'],
    ]) {
      user.mockReturnValueOnce({ uid })
      expect(await askForToken(broker)).toBe(token)
    }
  })

  test('per environment, in one store', async () => {
    const store = new Map()
    const a = createTestBroker({ store, weavyUrl: 'https://acme.weavy.test/a' })
    const b = createTestBroker({ store, weavyUrl: 'https://acme.weavy.test/b' })
    expect(await askForToken(a.broker)).toBe('wyu_1')
    expect(await askForToken(b.broker)).toBe('wyu_2')
    expect(await askForToken(a.broker)).toBe('wyu_1')
    expect([...store.keys()]).toEqual(
      ['a', 'b'].map((path) => recordKey('u256', `https://acme.weavy.test/${path}`)),
    )
  })

  test('at most for its life when Weavy gives less than was asked for', async () => {
    const { broker } = createTestBroker({ expiresIn: 3600 })
    weavy.next(() => Response.json({ access_token: 'wyu_short', expires_in: 10 }))
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_short', expires_in: 10, sub: SUB })
    pass(9)
    expect(await askForToken(broker)).toBe('wyu_1')
  })

  test.each([null, undefined])('for the life that was asked for when Weavy says %s', async (expires_in) => {
    const { broker } = createTestBroker({ expiresIn: 600 })
    weavy.next(() => Response.json({ access_token: 'wyu_x', expires_in }))
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_x', expires_in: 600, sub: SUB })
  })
})

describe('clocks', () => {
  test('the default store forgets a token in time although the wall clock was set back', async () => {
    const { broker } = createTestBroker({ expiresIn: 100 })
    await ask(broker)
    pass(50)
    vi.setSystemTime(Date.now() - 40_000)
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_1', expires_in: 90, sub: SUB })
    pass(40.1)
    expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('a token from the future is not reused, beyond what its margin makes up for', async () => {
    const store = new Map()
    const { broker } = createTestBroker({ expiresIn: 100, store })
    await ask(broker)
    vi.setSystemTime(Date.now() - 9_000)
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_1', expires_in: 100, sub: SUB })
    vi.setSystemTime(Date.now() - 2_000)
    expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('a wall clock that was set forward costs a call, no more', async () => {
    const { broker } = createTestBroker()
    await ask(broker)
    vi.setSystemTime(Date.now() + 86_400_000)
    expect(await askForToken(broker)).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
  })
})

describe('refresh=true', () => {
  test('replaces the token also right after a plain issue', async () => {
    const { broker } = createTestBroker()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForNewToken(broker)).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('gives the same new token for 5 s after the replacement', async () => {
    expect(REPLACEMENT_WINDOW_MS).toBe(5_000)
    const { broker } = createTestBroker()
    await ask(broker)
    expect(await askForNewToken(broker)).toBe('wyu_2')
    pass(4.9)
    expect(await askForNewToken(broker)).toBe('wyu_2')
    pass(0.1)
    expect(await askForNewToken(broker)).toBe('wyu_3')
    expect(await askForNewToken(broker)).toBe('wyu_3')
  })

  test('does so across processes that share a store', async () => {
    const store = new Map()
    const [a, b] = [createTestBroker({ store }).broker, createTestBroker({ store }).broker]
    expect(await askForToken(a)).toBe('wyu_1')
    expect(await askForNewToken(a)).toBe('wyu_2')
    expect(await askForNewToken(b)).toBe('wyu_2')
    expect(await askForToken(b)).toBe('wyu_2')
    pass(5)
    expect(await askForNewToken(b)).toBe('wyu_3')
    expect(await askForNewToken(a)).toBe('wyu_3')
  })

  test('never gives a replacement that is about to end', async () => {
    const { broker } = createTestBroker({ expiresIn: 4 })
    expect(await askForNewToken(broker)).toBe('wyu_1')
    pass(3.7)
    expect(await askForNewToken(broker)).toBe('wyu_2')
  })

  test('gives a replacement again for half of its life at most, so that a page that refreshes ahead gets another', async () => {
    const { broker } = createTestBroker({ expiresIn: 5 })
    expect(await askForNewToken(broker)).toBe('wyu_1')
    pass(2)
    expect(await askForNewToken(broker)).toBe('wyu_1')
    pass(1.6)
    expect(await askForNewToken(broker)).toBe('wyu_2')
  })

  test('a burst costs one call', async () => {
    const { broker } = createTestBroker()
    await ask(broker)
    const tokens = await Promise.all(Array.from({ length: 50 }, () => askForNewToken(broker)))
    expect(new Set(tokens)).toEqual(new Set(['wyu_2']))
    for (let i = 0; i < 50; i += 1) expect(await askForNewToken(broker)).toBe('wyu_2')
    expect(weavy.calls).toHaveLength(2)
  })
})

describe('forget', () => {
  test('drops the stored token of one user', async () => {
    const user = vi.fn().mockReturnValue({ uid: 'u1' })
    const { broker } = createTestBroker({ user })
    await ask(broker)
    user.mockReturnValueOnce({ uid: 'u2' })
    await ask(broker)
    await broker.forget('u1')
    expect(await askForToken(broker)).toBe('wyu_3')
    user.mockReturnValueOnce({ uid: 'u2' })
    expect(await askForToken(broker)).toBe('wyu_2')
  })

  test('makes an end of the 5 s after a replacement', async () => {
    const { broker } = createTestBroker()
    expect(await askForNewToken(broker)).toBe('wyu_1')
    await broker.forget('u256')
    expect(await askForNewToken(broker)).toBe('wyu_2')
  })

  test('of a uid that cannot exist does nothing and says so', async () => {
    const deleted = vi.fn()
    const store: TokenStore = { get() {}, set() {}, delete: deleted }
    const { broker, lines } = createTestBroker({ store })
    expect(await broker.forget('256')).toBe(false)
    await broker.forget('x/../u256')
    await broker.forget(undefined as unknown as string)
    expect(deleted).not.toHaveBeenCalled()
    expect(lines).toEqual(Array(3).fill(expect.stringMatching(/^weavy-token broker: forget\(\) did nothing/)))
    expect(lines.join()).not.toMatch(/256/)
  })
})

describe('what the store holds is checked', () => {
  const good = {
    owner: `${digestOf('https://acme.weavy.test')}:${SUB}`,
    key: digestOf(API_KEY),
    generation: null,
    version: 1,
    token: 'wyu_stored',
    issuedAt: Date.now(),
    lifetimeMs: 3_600_000,
    replacedAt: null,
    refused: [],
    paidUntil: 0,
  }

  test.each([
    ['a number', 42],
    ['a string', '{"token":"wyu_stored"}'],
    ['null', null],
    ['an array', [good]],
    ['nothing in it', {}],
    ['an API key', { ...good, token: 'wys_stored' }],
    ['a token of another kind', { ...good, token: 'eyJhbGciOiJub25lIn0' }],
    ['a token that breaks headers', { ...good, token: 'wyu_a\r\nSet-Cookie: a=b' }],
    ['no instant', { ...good, issuedAt: undefined }],
    ['an instant as a string', { ...good, issuedAt: new Date().toISOString() }],
    ['no lifetime', { ...good, lifetimeMs: null }],
    ['an infinite lifetime', { ...good, lifetimeMs: Number.POSITIVE_INFINITY }],
    ['a negative lifetime', { ...good, lifetimeMs: -1 }],
    ['an unknown replacement', { ...good, replacedAt: 'yesterday' }],
    ['another user’s', { ...good, owner: good.owner.toLowerCase() }],
    ['no owner', { ...good, owner: undefined }],
    ['issued with an earlier API key', { ...good, key: digestOf('wys_earlier') }],
    ['no API key', { ...good, key: null }],
    ['of a generation that was forgotten', { ...good, generation: 'an earlier one' }],
    ['a generation of another kind', { ...good, generation: 1 }],
    ['no version', { ...good, version: undefined }],
    ['refusals of another kind', { ...good, refused: 'all' }],
    ['refusals that are no digests', { ...good, refused: [1] }],
    ['too many refusals', { ...good, refused: Array(9).fill('x') }],
    ['an allowance of another kind', { ...good, paidUntil: null }],
    ['a token that expired', { ...good, issuedAt: Date.now() - 7_200_000 }],
  ])('%s counts as missing and is overwritten', async (_, value) => {
    const store = new Map<string, unknown>([[recordKey(), value]])
    const { broker, lines } = createTestBroker({ store })
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(lines).toEqual([])
  })

  test('a good one is used', async () => {
    const store = new Map<string, unknown>([[recordKey(), { ...good, issuedAt: Date.now() - 600_000 }]])
    const { broker } = createTestBroker({ store })
    expect((await ask(broker)).body).toEqual({ access_token: 'wyu_stored', expires_in: 3000, sub: SUB })
  })
})
