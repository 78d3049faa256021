import { afterEach, describe, expect, test, vi } from 'vitest'
import { createTokenBroker, type TokenStore } from '../../src/broker/index.js'
import { FLIGHT_TIMEOUT_MS } from '../../src/broker/user-tokens.js'
import { createDeferred } from '../deferred.js'
import { settle } from '../settle.js'
import { ask, askForNewToken, askForToken, createTestBroker, generationKey, recordKey } from './ask.js'
import { API_KEY, WEAVY_URL } from './scripted-weavy.js'

afterEach(() => vi.useRealTimers())

/** A Weavy whose answers, and a store whose reads and writes, happen when the test says so. */
function createStage(options = {}) {
  const posts: (() => void)[] = []
  const reads: (() => void)[] = []
  const writes: (() => void)[] = []
  const stored = new Map<string, unknown>()
  const hold = { reads: false, writes: false }

  const store: TokenStore = {
    async get(key) {
      const value = stored.get(key)
      if (hold.reads && key === recordKey()) await waiting(reads)
      return value
    },
    async set(key, value) {
      if (hold.writes) await waiting(writes)
      stored.set(key, value)
    },
    async delete(key) {
      stored.delete(key)
    },
  }

  function waiting(queue: (() => void)[]): Promise<void> {
    const deferred = createDeferred<void>()
    queue.push(() => deferred.resolve())
    return deferred.promise
  }

  async function fetch() {
    const number = posts.length + 1
    await waiting(posts)
    return Response.json({ access_token: `wyu_${number}`, expires_in: 3600 })
  }

  const { broker, lines } = createTestBroker({ store, fetch, ...options })
  return { broker, lines, posts, reads, writes, stored, hold }
}

describe('requests at the same time', () => {
  test('cost one call to Weavy, refreshes among them', async () => {
    const { broker, posts } = createStage()
    const replies = [askForToken(broker), askForNewToken(broker), askForToken(broker), askForNewToken(broker)]
    await settle()
    expect(posts).toHaveLength(1)
    posts[0]?.()
    expect(await Promise.all(replies)).toEqual(Array(4).fill('wyu_1'))
  })

  test('of brokers with different expiresIn cost one call, and each tells a life that it would ask for', async () => {
    const posts: (() => void)[] = []
    const fetch = () =>
      new Promise<Response>((resolve) => {
        posts.push(() => resolve(Response.json({ access_token: 'wyu_1', expires_in: 3600 })))
      })
    const { broker: long } = createTestBroker({ fetch, expiresIn: 3600 })
    const options = { weavyUrl: WEAVY_URL, apiKey: API_KEY, user: () => ({ uid: 'u256' }) }
    const short = createTokenBroker({ ...options, fetch, expiresIn: 60 })
    const replies = [ask(long), ask(short)]
    await settle()
    expect(posts).toHaveLength(1)
    posts[0]?.()
    const [one, other] = await Promise.all(replies)
    expect(one?.body.expires_in).toBeGreaterThan(3500)
    expect(other?.body).toMatchObject({ access_token: 'wyu_1' })
    expect(other?.body.expires_in).toBeLessThanOrEqual(60)
  })

  test('cost one call also when the store reads slowly', async () => {
    const { broker, posts, reads, hold } = createStage()
    hold.reads = true
    const replies = [askForToken(broker), askForToken(broker), askForToken(broker)]
    await settle()
    hold.reads = false
    reads[0]?.()
    await settle()
    posts[0]?.()
    await settle()
    // The others read before the token was there, and hear of it after.
    reads[1]?.()
    reads[2]?.()
    expect(await Promise.all(replies)).toEqual(Array(3).fill('wyu_1'))
    expect(posts).toHaveLength(1)
  })

  test('of two users do not wait for each other', async () => {
    const user = vi.fn().mockReturnValueOnce({ uid: 'u1' }).mockReturnValueOnce({ uid: 'u2' })
    const { broker, posts } = createStage({ user })
    const [first, second] = [askForToken(broker), askForToken(broker)]
    await settle()
    posts[1]?.()
    expect(await second).toBe('wyu_2')
    posts[0]?.()
    expect(await first).toBe('wyu_1')
  })
})

describe('refresh=true that meets a plain request', () => {
  test('takes the token that is on its way, because nobody holds it yet', async () => {
    const { broker, posts } = createStage()
    const plain = askForToken(broker)
    await settle()
    const forced = askForNewToken(broker)
    await settle()
    posts[0]?.()
    expect([await plain, await forced]).toEqual(['wyu_1', 'wyu_1'])
    // That was a plain issue: refused at once, it is replaced at once.
    const again = askForNewToken(broker)
    await settle()
    posts[1]?.()
    expect(await again).toBe('wyu_2')
  })

  test('does not take what the plain request finds in the store', async () => {
    const { broker, posts, reads, hold } = createStage()
    const before = askForToken(broker)
    await settle()
    posts[0]?.()
    await before
    hold.reads = true
    const plain = askForToken(broker)
    const forced = askForNewToken(broker)
    await settle()
    hold.reads = false
    reads[0]?.()
    expect(await plain).toBe('wyu_1')
    reads[1]?.()
    await settle()
    posts[1]?.()
    expect(await forced).toBe('wyu_2')
  })

  test('a plain request whose slow read began before the replacement gets the replacement', async () => {
    const { broker, posts, reads, hold } = createStage()
    const before = askForToken(broker)
    await settle()
    posts[0]?.()
    await before
    hold.reads = true
    const plain = askForToken(broker)
    const forced = askForNewToken(broker)
    await settle()
    hold.reads = false
    reads[1]?.()
    await settle()
    posts[1]?.()
    expect(await forced).toBe('wyu_2')
    reads[0]?.()
    expect(await plain).toBe('wyu_2')
  })

  test('a plain request does not wait for it while the stored token is good', async () => {
    const { broker, posts } = createStage()
    const before = askForToken(broker)
    await settle()
    posts[0]?.()
    await before
    const forced = askForNewToken(broker)
    await settle()
    expect(await askForToken(broker)).toBe('wyu_1')
    posts[1]?.()
    expect(await forced).toBe('wyu_2')
    expect(await askForToken(broker)).toBe('wyu_2')
  })
})

describe('forget', () => {
  test('a flight under way answers those who wait, and stores nothing', async () => {
    const { broker, posts, stored } = createStage()
    const plain = askForToken(broker)
    await settle()
    await broker.forget('u256')
    posts[0]?.()
    expect(await plain).toBe('wyu_1')
    expect([...stored.keys()]).toEqual([generationKey()])
  })

  test('what is being stored at this moment does not count', async () => {
    const { broker, posts, writes, stored, hold } = createStage()
    hold.writes = true
    const plain = askForToken(broker)
    await settle()
    posts[0]?.()
    await settle()
    hold.writes = false
    await broker.forget('u256')
    writes[0]?.()
    await plain
    const next = askForToken(broker)
    await settle()
    posts[1]?.()
    hold.writes = false
    await settle()
    writes[1]?.()
    expect(await next).toBe('wyu_2')
    expect(stored.get(recordKey())).toMatchObject({ token: 'wyu_2' })
  })

  test('requests after it start afresh', async () => {
    const { broker, posts, stored } = createStage()
    const before = askForToken(broker)
    await settle()
    await broker.forget('u256')
    const after = askForToken(broker)
    await settle()
    posts[1]?.()
    expect(await after).toBe('wyu_2')
    posts[0]?.()
    expect(await before).toBe('wyu_1')
    expect(stored.get(recordKey())).toMatchObject({ token: 'wyu_2' })
  })
})

describe('a call to Weavy that never ends', () => {
  test('costs its waiters their time, and the next request nothing', async () => {
    vi.useFakeTimers()
    const hang = createDeferred<Response>()
    const fetch = vi.fn().mockReturnValueOnce(hang.promise)
    fetch.mockImplementation(async () => Response.json({ access_token: 'wyu_2', expires_in: 3600 }))
    const { broker } = createTestBroker({ fetch })
    const replies = [ask(broker), ask(broker)]
    await vi.advanceTimersByTimeAsync(FLIGHT_TIMEOUT_MS)
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([504, 504])
    expect(await askForToken(broker)).toBe('wyu_2')
    hang.resolve(Response.json({ access_token: 'wyu_1', expires_in: 3600 }))
    await settle()
    expect(await askForToken(broker)).toBe('wyu_2')
    expect(vi.getTimerCount()).toBe(0)
  })
})
