import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { REPLACEMENTS_AT_ONCE } from '../../src/broker/decide.js'
import { settle } from '../settle.js'
import {
  ask,
  askAfterRefusal,
  askAhead,
  askForNewToken,
  askForToken,
  createTestBroker,
  digestOf,
  SUB,
  TOKEN_URL,
} from './ask.js'
import { createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  vi.advanceTimersByTime(1)
})
afterEach(() => vi.useRealTimers())

describe('sub', () => {
  test('is a digest of the uid, in every answer, and what subOf tells', async () => {
    const { broker } = createTestBroker()
    expect((await ask(broker)).body.sub).toBe(SUB)
    expect((await ask(broker)).body.sub).toBe(SUB)
    expect((await ask(broker, {}, `${TOKEN_URL}?refresh=true`)).body.sub).toBe(SUB)
    expect(broker.subOf('u256')).toBe(SUB)
  })

  test('is the one that user() returns, which Weavy does not get', async () => {
    const { broker } = createTestBroker({ user: () => ({ uid: 'u256', sub: 'ada@acme as carol' }) })
    expect((await ask(broker)).body.sub).toBe('ada@acme as carol')
    expect(weavy.calls[0]?.body).not.toHaveProperty('sub')
  })

  test.each([
    ['an empty string', ''],
    ['a number', 42],
    ['an object', {}],
    ['a long string', 'x'.repeat(257)],
  ])('%s from user() is a 500 that names it', async (_, sub) => {
    const { broker, lines } = createTestBroker({ user: () => ({ uid: 'u256', sub: sub as string }) })
    expect((await ask(broker)).status).toBe(500)
    expect(lines).toEqual([expect.stringMatching(/sub of user\(\) must be a string/)])
  })

  test('subOf of a uid that cannot exist is a TypeError that does not quote it', () => {
    const { broker } = createTestBroker()
    expect(() => broker.subOf('secret id')).toThrow(TypeError)
    expect(() => broker.subOf('secret id')).not.toThrow(/secret/)
  })
})

describe('held', () => {
  test('many tabs whose refreshes are minutes apart cost one call per life', async () => {
    const { broker } = createTestBroker()
    const first = await askForToken(broker)
    vi.advanceTimersByTime(3_300_000)
    for (let tab = 0; tab < 8; tab += 1) {
      expect(await askAhead(broker, first)).toBe('wyu_2')
      vi.advanceTimersByTime(20_000)
    }
    expect(weavy.calls).toHaveLength(2)
  })

  test('a user who replays the digest of the newest token in a loop spends 20 calls, then one per 5 s', async () => {
    const { broker } = createTestBroker()
    const statuses: number[] = []
    const replay = async () => {
      const held = await askForToken(broker)
      statuses.push(
        (await ask(broker, {}, `${TOKEN_URL}?refresh=true&held=${digestOf(String(held))}`)).status,
      )
    }
    for (let i = 0; i < 50; i += 1) await replay()
    expect(weavy.calls).toHaveLength(1 + REPLACEMENTS_AT_ONCE)
    expect(statuses.filter((status) => status === 429)).toHaveLength(30)
    vi.advanceTimersByTime(5_000)
    await replay()
    await replay()
    expect(weavy.calls).toHaveLength(2 + REPLACEMENTS_AT_ONCE)
  })
})

describe('rubbish in held or refused', () => {
  const digest = digestOf('wyu_1')
  const rubbish = {
    nothing: '',
    'a script': '<script>alert(1)</script>',
    'one character too few': digest.slice(1),
    'one too many': `${digest}A`,
    'an array': `[${digest}]`,
    'a padded digest': `${digest}==`,
    'other base64': digest.replace(/.$/, '+'),
    'escapes that are broken': '%E0%A4%A',
    'a zero byte': `${digest.slice(1)}%00`,
    'a token': 'wyu_1',
    '100 kB': 'A'.repeat(100_000),
  }

  test.each(Object.entries(rubbish))('%s counts as if it were not there', async (_, value) => {
    const { broker } = createTestBroker()
    const url = (name: string) => `${TOKEN_URL}?refresh=true&${name}=${value}`
    await ask(broker)
    // As a digest it would say: another token than this one, so the stored one.
    expect((await ask(broker, {}, url('held'))).body.access_token).toBe('wyu_2')
    // As a digest it would say: this one was refused, so one more.
    expect((await ask(broker, {}, url('refused'))).body.access_token).toBe('wyu_2')
    expect(weavy.calls).toHaveLength(2)
  })

  test('what looks like a digest is one', async () => {
    const { broker } = createTestBroker()
    await ask(broker)
    const unknown = 'A'.repeat(22)
    expect((await ask(broker, {}, `${TOKEN_URL}?refresh=true&held=${unknown}`)).body.access_token).toBe(
      'wyu_1',
    )
    await ask(broker, {}, `${TOKEN_URL}?refresh=true`)
    const { body } = await ask(broker, {}, `${TOKEN_URL}?refresh=true&refused=${unknown}`)
    expect(body.access_token).toBe('wyu_3')
  })
})

describe('refused', () => {
  test('50 pages that refuse one token cost one call, whenever they come', async () => {
    const { broker } = createTestBroker()
    const first = await askForToken(broker)
    const atOnce = await Promise.all(Array.from({ length: 25 }, () => askAfterRefusal(broker, first)))
    expect(new Set(atOnce)).toEqual(new Set(['wyu_2']))
    for (let page = 0; page < 25; page += 1) {
      vi.advanceTimersByTime(10_000)
      expect(await askAfterRefusal(broker, first)).toBe('wyu_2')
    }
    expect(weavy.calls).toHaveLength(2)
  })

  test('a page that holds an older token than the store does, all of them revoked: a token that lives', async () => {
    const { broker } = createTestBroker()
    const old = await askForToken(broker)
    const stored = await askAhead(broker, old)
    // Everything is revoked now.
    const healed = await askAfterRefusal(broker, old)
    expect(healed).toBe('wyu_3')
    expect(await askAfterRefusal(broker, stored)).toBe(healed)
    expect(weavy.calls).toHaveLength(3)
  })

  test('a token that was revoked a moment after its replacement heals with one request, at once', async () => {
    const { broker } = createTestBroker()
    const second = await askAfterRefusal(broker, await askForToken(broker))
    expect(await askAfterRefusal(broker, second)).toBe('wyu_3')
  })

  test('pages that refuse different tokens at the same time share a call, and what it brings is for both', async () => {
    const { broker } = createTestBroker()
    const old = await askForToken(broker)
    const stored = await askAhead(broker, old)
    const tokens = await Promise.all([askAfterRefusal(broker, old), askAfterRefusal(broker, stored)])
    expect(tokens).toEqual(['wyu_3', 'wyu_3'])
    expect(await askAfterRefusal(broker, old)).toBe('wyu_3')
    expect(weavy.calls).toHaveLength(3)
  })

  test('an environment that gives the same token again is asked again each time, no more often than allowed', async () => {
    const { broker } = createTestBroker()
    for (let i = 0; i < 40; i += 1) weavy.next(() => Response.json({ access_token: 'wyu_same' }))
    await ask(broker)
    const url = `${TOKEN_URL}?refresh=true&refused=${digestOf('wyu_same')}`
    const replies = []
    for (let i = 0; i < 30; i += 1) replies.push((await ask(broker, {}, url)).status)
    expect(replies.filter((status) => status === 200)).toHaveLength(REPLACEMENTS_AT_ONCE)
  })

  test('a user who replays it in a loop spends 20 calls, then one per 5 s, and is told so', async () => {
    const { broker, lines } = createTestBroker()
    await ask(broker)
    const statuses: number[] = []
    const attempt = async (i: number) =>
      ask(broker, {}, `${TOKEN_URL}?refresh=true&refused=${digestOf(`wyu_made-up-${i}`)}`)
    for (let i = 0; i < 100; i += 1) statuses.push((await attempt(i)).status)
    expect(weavy.calls).toHaveLength(1 + REPLACEMENTS_AT_ONCE)
    expect(statuses.filter((status) => status === 429)).toHaveLength(80)
    const { headers, body } = await attempt(100)
    expect(headers.get('retry-after')).toBe('5')
    expect(body.type).toBe('urn:weavy-token:problem:replaced_too_often')
    // Others, and the pages of this user that are content, are not concerned.
    expect((await ask(broker)).status).toBe(200)
    vi.advanceTimersByTime(5_000)
    expect((await attempt(101)).status).toBe(200)
    expect((await attempt(102)).status).toBe(429)
    expect(lines).toEqual([])
  })
})

describe('old pages and new pages, in any mix', () => {
  test('an old page is served as ever', async () => {
    const { broker } = createTestBroker()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askForNewToken(broker)).toBe('wyu_2')
    expect(await askForNewToken(broker)).toBe('wyu_2')
    vi.advanceTimersByTime(5_000)
    expect(await askForNewToken(broker)).toBe('wyu_3')
  })

  test('what an old page had replaced is the answer for a new one that holds the token before', async () => {
    const { broker } = createTestBroker()
    const first = await askForToken(broker)
    const second = await askForNewToken(broker)
    expect(await askAhead(broker, first)).toBe(second)
  })

  test('what an old page had replaced, nobody knows why, is replaced for a refusal', async () => {
    const { broker } = createTestBroker()
    const first = await askForToken(broker)
    await askForNewToken(broker)
    expect(await askAfterRefusal(broker, first)).toBe('wyu_3')
  })

  test('an old page within 5 s of what a new page had replaced gets the same', async () => {
    const { broker } = createTestBroker()
    const second = await askAfterRefusal(broker, await askForToken(broker))
    expect(await askForNewToken(broker)).toBe(second)
  })

  test('in a rolling deploy old and new processes share a store and do not disturb each other', async () => {
    const store = new Map<string, unknown>()
    // What a process of 0.1 has written there.
    const before = { token: 'wyu_old', issuedAt: Date.now(), lifetimeMs: 3_600_000, replacedAt: null }
    store.set('weavy-token:token:https://acme.weavy.test/u256', before)
    const { broker } = createTestBroker({ store })
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(await askAfterRefusal(broker, 'wyu_old')).toBe('wyu_2')
    expect(store.get('weavy-token:token:https://acme.weavy.test/u256')).toBe(before)
  })
})

describe('expiresIn that was lowered', () => {
  test('reaches tokens that are stored already', async () => {
    const store = new Map()
    await ask(createTestBroker({ store, expiresIn: 31_536_000 }).broker)
    vi.advanceTimersByTime(100_000)
    const { broker } = createTestBroker({ store, expiresIn: 300 })
    expect((await ask(broker)).body).toMatchObject({ access_token: 'wyu_1', expires_in: 200 })
    vi.advanceTimersByTime(180_000)
    expect((await ask(broker)).body).toMatchObject({ access_token: 'wyu_2', expires_in: 300 })
  })
})

describe('a rotated API key', () => {
  test('what an earlier key issued is not given any more, and forget() finds it all the same', async () => {
    let key = 'wys_first'
    const store = new Map()
    const { broker } = createTestBroker({ store, apiKey: () => key })
    expect(await askForToken(broker)).toBe('wyu_1')
    key = 'wys_second'
    expect(await askForToken(broker)).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
    key = 'wys_third'
    expect(await broker.forget('u256')).toBe(true)
    key = 'wys_second'
    expect(await askForToken(broker)).toBe('wyu_3')
  })

  test('a call that is under way with the earlier key is nobody’s', async () => {
    let key = 'wys_first'
    const answers: (() => void)[] = []
    let issued = 0
    const fetch = async () => {
      issued += 1
      const token = `wyu_${issued}`
      await new Promise<void>((resolve) => answers.push(resolve))
      return Response.json({ access_token: token, expires_in: 3600 })
    }
    const { broker } = createTestBroker({ fetch, apiKey: () => key })
    const before = askForToken(broker)
    await settle()
    key = 'wys_second'
    const after = askForToken(broker)
    await settle()
    for (const answer of answers) answer()
    expect([await before, await after]).toEqual(['wyu_1', 'wyu_2'])
  })
})
