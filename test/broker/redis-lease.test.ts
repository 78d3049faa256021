import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import type { TokenStore } from '../../src/broker/index.js'
import { blocksOf, runBlock } from '../documented.js'
import { ask, askAfterRefusal, askAhead, askForToken, createTestBroker } from './ask.js'
import { type RedisServer, startRedis } from './redis-server.js'

interface RedisStore {
  store: TokenStore
  close: () => void
}

let redis: RedisServer
let weavy: StandInWeavy
const open: RedisStore[] = []

beforeAll(async () => {
  redis = await startRedis()
  weavy = await createStandInWeavy()
  process.env.REDIS_URL = redis.url
}, 30_000)

afterAll(async () => {
  for (const { close } of open) close()
  delete process.env.REDIS_URL
  await redis?.stop()
  await weavy?.close()
})

let users = 0

/** Three processes with the store of the document, a connection each, and a user whom no other test has. */
async function createFleet(fetches: (typeof fetch)[] = []) {
  users += 1
  const uid = `u-${users}`
  const brokers = []
  for (let process = 0; process < 3; process += 1) {
    const module = await runBlock<RedisStore>(blocksOf('docs/broker.md'), 'redis-store.ts')
    open.push(module)
    await expect
      .poll(() =>
        Promise.resolve(module.store.get('ready')).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    const environment = { weavyUrl: weavy.url, apiKey: weavy.apiKey, user: () => ({ uid }) }
    const options = { ...environment, store: module.store, fetch: fetches[process] }
    brokers.push(createTestBroker(options).broker)
  }
  const calls = () => weavy.requests.filter((r) => r.kind === 'token' && r.uid === uid).length
  return { brokers, calls, uid }
}

describe('the store with a lease that the document shows', () => {
  test('three processes that are asked in the same moment make one call, and one per rotation', async () => {
    const { brokers, calls } = await createFleet()
    const pages = Array.from({ length: 12 }, (_, page) => brokers[page % 3] as (typeof brokers)[0])
    const first = new Set(await Promise.all(pages.map((broker) => askForToken(broker))))
    expect(first.size).toBe(1)
    expect(calls()).toBe(1)
    const [held] = first
    const second = new Set(await Promise.all(pages.map((broker) => askAhead(broker, held))))
    expect(second.size).toBe(1)
    expect(second).not.toEqual(first)
    expect(calls()).toBe(2)
  })

  test('50 pages that refuse one token, spread over three processes, cost one call, and the next refusal heals at once', async () => {
    const { brokers, calls, uid } = await createFleet()
    const pages = Array.from({ length: 50 }, (_, page) => brokers[page % 3] as (typeof brokers)[0])
    const first = await askForToken(pages[0] as (typeof brokers)[0])
    weavy.revoke(uid)
    const second = new Set(await Promise.all(pages.map((broker) => askAfterRefusal(broker, first))))
    expect(second.size).toBe(1)
    expect(calls()).toBe(2)
    weavy.revoke(uid)
    const started = performance.now()
    const [refused] = second
    const third = await askAfterRefusal(pages[1] as (typeof brokers)[0], refused)
    expect(second).not.toContain(third)
    expect(calls()).toBe(3)
    // The lease of the replacement before lives for 10 s when it is not released.
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test('forget() in one process is final in the others', async () => {
    const { brokers } = await createFleet()
    const [a, b] = brokers as [(typeof brokers)[0], (typeof brokers)[0]]
    const token = await askForToken(a)
    expect(await askForToken(b)).toBe(token)
    expect(await b.forget(`u-${users}`)).toBe(true)
    expect(await askForToken(a)).not.toBe(token)
  })

  test('a failure of Weavy gives the lease back: the next request does not wait for its end', async () => {
    const down = async () => new Response(null, { status: 500 })
    const { brokers, calls } = await createFleet([down])
    const [a, b] = brokers as [(typeof brokers)[0], (typeof brokers)[0]]
    const started = performance.now()
    expect((await ask(a)).status).toBe(503)
    expect((await ask(b)).status).toBe(200)
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(calls()).toBe(1)
  })
})
