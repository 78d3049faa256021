import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeyv } from '@keyv/redis'
import type { Keyv } from 'keyv'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import type { TokenBrokerOptions } from '../../src/broker/index.js'
import { STORE_TIMEOUT_MS } from '../../src/broker/store.js'
import { ask, askForNewToken, askForToken, createTestBroker, recordKey } from './ask.js'
import { type RedisServer, startRedis } from './redis-server.js'

let redis: RedisServer
let weavy: StandInWeavy
const keyvs: Keyv[] = []

beforeAll(async () => {
  redis = await startRedis()
  weavy = await createStandInWeavy()
}, 30_000)

afterEach(async () => {
  await Promise.all(keyvs.splice(0).map((keyv) => keyv.disconnect()))
})

afterAll(async () => {
  await redis?.stop()
  await weavy?.close()
})

function connect(): Keyv {
  const keyv = createKeyv(redis.url, { throwOnErrors: true })
  keyvs.push(keyv)
  return keyv
}

let users = 0

/** A broker with a connection of its own to Redis, and a user whom no other test has. */
function createRedisBroker(options: Partial<TokenBrokerOptions> = {}) {
  users += 1
  const uid = `u-${users}`
  const store = connect()
  const environment = { weavyUrl: weavy.url, apiKey: weavy.apiKey }
  return { uid, store, ...createTestBroker({ ...environment, store, user: () => ({ uid }), ...options }) }
}

const issuedFor = (uid: string) => weavy.requests.filter((r) => r.kind === 'token' && r.uid === uid).length

describe('a process that computes for longer than the store has', () => {
  test('does not take the store for dead: users with stored tokens cost no call', async () => {
    const uids = Array.from({ length: 40 }, (_, n) => `u-busy-${n}`)
    const user = (request: Request) => ({ uid: new URL(request.url).searchParams.get('as') ?? '' })
    const { broker, lines } = createRedisBroker({ user })
    const askAs = (uid: string) => broker.fetch(new Request(`https://app.example/api/token?as=${uid}`))
    for (const uid of uids) expect((await askAs(uid)).status).toBe(200)
    const calls = () => uids.reduce((sum, uid) => sum + issuedFor(uid), 0)
    expect(calls()).toBe(uids.length)

    const first = askAs(uids[0] as string)
    // Until the question has left; its answer arrives while nobody looks.
    for (let n = 0; n < 20; n++) await new Promise<void>((resolve) => process.nextTick(resolve))
    const end = performance.now() + 1.2 * STORE_TIMEOUT_MS
    while (performance.now() < end);
    expect((await first).status).toBe(200)
    for (const response of await Promise.all(uids.map(askAs))) expect(response.status).toBe(200)
    expect(calls()).toBe(uids.length)
    expect(lines).toEqual([])
  }, 30_000)
})

describe('two broker processes', () => {
  test('share tokens, and the 5 s after a replacement', async () => {
    const env = { ...process.env, REDIS_URL: redis.url, WEAVY_URL: weavy.url, WEAVY_APIKEY: weavy.apiKey }
    const children = ['a', 'b'].map(() =>
      fork(new URL('broker-process.ts', import.meta.url), { execArgv: ['--import', 'tsx'], env }),
    )
    try {
      const [a = '', b = ''] = await Promise.all(
        children.map(async (child) => String((await once(child, 'message'))[0])),
      )
      const get = async (url: string, query = '') => {
        const response = await fetch(`${url}${query}`, { headers: { Cookie: 'u-shared' } })
        return ((await response.json()) as { access_token: string }).access_token
      }
      const first = await get(a)
      expect(first).toMatch(/^wyu_/)
      expect(await get(b)).toBe(first)
      const second = await get(a, '?refresh=true')
      expect(second).not.toBe(first)
      expect(await get(b, '?refresh=true')).toBe(second)
      expect(await get(b)).toBe(second)
      expect(issuedFor('u-shared')).toBe(2)
    } finally {
      for (const child of children) child.disconnect()
    }
  }, 30_000)
})

describe('one Redis', () => {
  test('keeps the environments apart', async () => {
    const other = await createStandInWeavy()
    try {
      const a = createRedisBroker()
      const b = createRedisBroker({ weavyUrl: other.url, apiKey: other.apiKey, user: () => ({ uid: a.uid }) })
      const token = await askForToken(a.broker)
      expect(await askForToken(b.broker)).not.toBe(token)
      expect(await askForToken(a.broker)).toBe(token)
    } finally {
      await other.close()
    }
  })

  test('drops a token itself when it is no longer to be reused', async () => {
    const { broker, store, uid } = createRedisBroker({ expiresIn: 1 })
    await ask(broker)
    const key = recordKey(uid, weavy.url)
    expect(await store.get(key)).toBeDefined()
    await expect.poll(() => store.get(key), { timeout: 3_000 }).toBeUndefined()
  })

  test('forget() in one process is heard in the other', async () => {
    const a = createRedisBroker()
    const b = createRedisBroker({ user: () => ({ uid: a.uid }) })
    const token = await askForToken(a.broker)
    expect(await askForToken(b.broker)).toBe(token)
    await b.broker.forget(a.uid)
    expect(await askForToken(a.broker)).not.toBe(token)
  })

  test.each([
    ['text', 'not json'],
    ['JSON of somebody else', '{"value":{"cart":[1,2]}}'],
    ['half a value', '{"value":{"token":"wyu_'],
    ['nothing', ''],
  ])('a value that is %s counts as missing and is overwritten', async (_, value) => {
    const { broker, store, uid } = createRedisBroker()
    // Past Keyv's own format, as another program would write it.
    await store.store.client.connect?.()
    await store.store.client.set(recordKey(uid, weavy.url), value)
    const token = await askForToken(broker)
    expect(token).toMatch(/^wyu_/)
    expect(await askForToken(broker)).toBe(token)
    expect(issuedFor(uid)).toBe(1)
  })
})

const failed = expect.stringMatching(/The token store failed/)
const works = expect.stringMatching(/The token store works again/)

describe('Redis in trouble', () => {
  /** Asks without a pause until told to stop. */
  function createLoad(brokers: ReturnType<typeof createRedisBroker>['broker'][]) {
    let isOver = false
    const replies: { status: number; ms: number }[] = []
    const loops = brokers.map(async (broker) => {
      while (!isOver) {
        const started = performance.now()
        const { status } = await ask(broker)
        replies.push({ status, ms: performance.now() - started })
        await sleep(5)
      }
    })
    return {
      replies,
      async stop() {
        isOver = true
        await Promise.all(loops)
      },
    }
  }

  test.each([
    ['hangs', () => redis.freeze(), () => redis.unfreeze()],
    ['goes away', () => redis.stop(), () => redis.start()],
  ])(
    '%s and comes back: no request is lost or waits for more than its second, and the log says it twice',
    async (_, breakIt, mendIt) => {
      const { broker, lines, uid } = createRedisBroker()
      const other = createRedisBroker()
      await ask(broker)
      await ask(other.broker)
      const before = issuedFor(uid)
      const load = createLoad([broker, other.broker])
      try {
        await breakIt()
        await expect.poll(() => lines, { timeout: 10_000 }).toEqual([failed])
        // The broker goes on with its own memory.
        const { length } = load.replies
        await expect.poll(() => load.replies.length, { timeout: 10_000 }).toBeGreaterThan(length + 100)
        expect(issuedFor(uid)).toBeLessThanOrEqual(before + 1)
      } finally {
        await mendIt()
      }
      await expect.poll(() => lines, { timeout: 20_000 }).toEqual([failed, works])
      await load.stop()
      expect(load.replies.filter(({ status }) => status !== 200)).toEqual([])
      // A second for the store, and what a busy machine adds.
      const worstMs = Math.max(...load.replies.map(({ ms }) => ms))
      expect(worstMs).toBeLessThan(STORE_TIMEOUT_MS + 1_000)

      const token = await askForToken(broker)
      expect(await askForToken(broker)).toBe(token)
      expect(await askForNewToken(broker)).not.toBe(token)
      expect(lines).toEqual([failed, works])
    },
    60_000,
  )

  test('a forgotten token does not come back with Redis', async () => {
    const { broker, uid } = createRedisBroker()
    const token = await askForToken(broker)
    redis.freeze()
    await broker.forget(uid)
    redis.unfreeze()
    await expect.poll(() => askForToken(broker), { timeout: 10_000 }).not.toBe(token)
  }, 20_000)

  test('is not there from the start: requests are served all the same', async () => {
    const { broker, lines } = createRedisBroker({
      store: createKeyv('redis://127.0.0.1:1', { throwOnErrors: true }),
    })
    expect(await askForToken(broker)).toMatch(/^wyu_/)
    expect(await askForToken(broker)).toMatch(/^wyu_/)
    expect(lines).toEqual([failed])
  })
})
