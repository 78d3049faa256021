import { setTimeout as sleep } from 'node:timers/promises'
import { createKeyv } from '@keyv/redis'
import type { Keyv } from 'keyv'
import { afterAll, beforeAll, describe, type ExpectStatic, expect as expectNow, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { STORE_REST_MS, STORE_TIMEOUT_MS, type TokenStore } from '../../src/broker/store.js'
import { askForNewToken, askForToken, createTestBroker } from './ask.js'
import { startRedis } from './redis-server.js'

let weavy: StandInWeavy

beforeAll(async () => {
  weavy = await createStandInWeavy()
}, 30_000)

afterAll(() => weavy?.close())

/** A Redis of its own, because what one test does to it would be felt in another. */
async function start() {
  const redis = await startRedis()
  const keyvs: Keyv[] = []
  const environment = { weavyUrl: weavy.url, apiKey: weavy.apiKey, user: () => ({ uid: 'u-1' }) }
  function connect(throwOnErrors = true): Keyv {
    const keyv = createKeyv(redis.url, { throwOnErrors })
    keyv.on('error', () => {})
    keyvs.push(keyv)
    return keyv
  }
  return {
    redis,
    connect,
    async command(...words: string[]) {
      const { client } = (keyvs[0] ?? connect()).store
      if (!client.isOpen) await client.connect()
      await client.sendCommand(words)
    },
    createBroker: (store: TokenStore) => createTestBroker({ ...environment, store }),
    async [Symbol.asyncDispose]() {
      // Not asked politely: it may be stopped.
      for (const { store } of keyvs) if (store.client.isOpen) store.client.destroy()
      await redis.stop()
    },
  }
}
type Setup = Awaited<ReturnType<typeof start>>

interface Trouble {
  begin(setup: Setup): unknown
  end(setup: Setup): unknown
}
const full: Trouble = {
  begin: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '1'),
  end: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '0'),
}
const replica: Trouble = {
  begin: ({ command }) => command('REPLICAOF', '127.0.0.1', '1'),
  end: ({ command }) => command('REPLICAOF', 'NO', 'ONE'),
}
/** A write takes effect when this is over, long after its time-out. */
const slow: Trouble = {
  begin: ({ command }) => command('CLIENT', 'PAUSE', '60000', 'WRITE'),
  end: ({ command }) => command('CLIENT', 'UNPAUSE'),
}
const stopped: Trouble = {
  begin: ({ redis }) => redis.freeze(),
  end: ({ redis }) => redis.unfreeze(),
}

const throwing = ({ connect }: Setup): TokenStore => connect()
const swallowing = ({ connect }: Setup): TokenStore => connect(false)
/** Reads on a connection of their own, so that no write stands before them. */
function reading({ connect }: Setup): TokenStore {
  const [reads, writes] = [connect(), connect()]
  return {
    get: (key) => reads.get(key),
    set: (key, value, ttlMs) => writes.set(key, value, ttlMs),
    delete: (key) => writes.delete(key),
  }
}
/** Each write takes half of the time that it has. */
function tardy({ connect }: Setup): TokenStore {
  const store = connect()
  const afterAWhile = async (write: () => Promise<unknown>) => {
    await sleep(STORE_TIMEOUT_MS / 2)
    return write()
  }
  return {
    get: (key) => store.get(key),
    set: (key, value, ttlMs) => afterAWhile(() => store.set(key, value, ttlMs)),
    delete: (key) => afterAWhile(() => store.delete(key)),
  }
}

const failed = expectNow.stringMatching(/The token store failed/)
const works = expectNow.stringMatching(/The token store works again/)

type Process = ReturnType<typeof createTestBroker>

/** The token that both have. On a busy machine the first answers of a Redis may come too late. */
async function agree({ broker, lines }: Process, other: Process, expect: ExpectStatic) {
  const isAgreed = async () => (await askForToken(other.broker)) === (await askForToken(broker))
  const isWorking = () => !/failed/.test(lines.at(-1) ?? '')
  await expect.poll(async () => (await isAgreed()) && isWorking(), { timeout: 20_000 }).toBe(true)
  lines.length = 0
  return askForToken(broker)
}

describe('Redis that reads but does not write', () => {
  test.concurrent.for([
    ['full, behind a Keyv that throws', full, throwing],
    ['full, behind a Keyv that swallows errors', full, swallowing],
    ['a read-only replica, behind a Keyv that throws', replica, throwing],
    ['a read-only replica, behind a Keyv that swallows errors', replica, swallowing],
    ['stopped', stopped, throwing],
    ['slow to write', slow, throwing],
    ['slow to write, behind a Keyv that swallows errors', slow, swallowing],
    ['slow to write, and read on another connection', slow, reading],
  ] as const)(
    '%s: a replaced token is never given again, forget() says what it did, and the log has a line',
    { timeout: 60_000 },
    async ([, trouble, createStore], { expect }) => {
      await using setup = await start()
      // Its commands go out on a connection of their own.
      const other = setup.createBroker(setup.connect())
      const process = setup.createBroker(createStore(setup))
      const { broker, lines } = process
      const first = await agree(process, other, expect)

      await trouble.begin(setup)
      const second = await askForNewToken(broker)
      expect(second).not.toBe(first)
      for (let i = 0; i < 3; i += 1) expect(await askForToken(broker)).toBe(second)
      expect(lines).toEqual([failed])
      // Also when a store that rested is asked again, and says what it has: the old entry.
      await sleep(STORE_REST_MS + 100)
      for (let i = 0; i < 3; i += 1) expect(await askForToken(broker)).toBe(second)
      expect(await broker.forget('u-1')).toBe(false)
      expect([first, second]).not.toContain(await askForToken(broker))

      await trouble.end(setup)
      // The store is told again, and the other process hears of it.
      const bothHave = async () => [await askForToken(broker), await askForToken(other.broker)]
      await expect.poll(async () => new Set(await bothHave()).size, { timeout: 15_000 }).toBe(1)
      await expect.poll(() => lines.at(-1), { timeout: 15_000 }).toEqual(works)
      for (const token of await bothHave()) expect([first, second]).not.toContain(token)
    },
  )

  test.concurrent.for([
    ['full', full, throwing],
    ['a read-only replica', replica, swallowing],
    ['stopped for two seconds', stopped, throwing],
    ['slow to write, and read on another connection', slow, reading],
  ] as const)(
    '%s, and comes back with the old entry: it does not serve again, and the other process gets the new one',
    { timeout: 60_000 },
    async ([, trouble, createStore], { expect }) => {
      await using setup = await start()
      const other = setup.createBroker(setup.connect())
      const process = setup.createBroker(createStore(setup))
      const { broker, lines } = process
      const first = await agree(process, other, expect)
      await trouble.begin(setup)
      const second = await askForNewToken(broker)
      await sleep(2_000)
      await trouble.end(setup)
      const given = new Set<unknown>()
      const look = async () => {
        given.add(await askForToken(broker))
        return askForToken(other.broker)
      }
      await expect.poll(look, { timeout: 20_000 }).toBe(second)
      await expect.poll(async () => (await look()) && lines, { timeout: 20_000 }).toEqual([failed, works])
      expect([...given]).toEqual([second])
      expect(second).not.toBe(first)
    },
  )

  test.concurrent('slow to write, but in time: the other process has the new token when the answer leaves', async ({
    expect,
  }) => {
    await using setup = await start()
    const process = setup.createBroker(tardy(setup))
    const { broker, lines } = process
    const other = setup.createBroker(setup.connect())
    const first = await agree(process, other, expect)
    const second = await askForNewToken(broker)
    expect(second).not.toBe(first)
    for (const one of [other.broker, broker]) expect(await askForToken(one)).toBe(second)
    expect(await broker.forget('u-1')).toBe(true)
    expect([first, second]).not.toContain(await askForToken(other.broker))
    expect(lines).toEqual([])
  })
})
