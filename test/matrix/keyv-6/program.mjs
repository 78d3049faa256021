// What test/broker/redis-writes.test.ts shows with Keyv 5, with Keyv 6: as docs/broker.md makes it, and as others do.
import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import KeyvRedis, { createClient, createKeyv } from '@keyv/redis'
import Keyv from 'keyv'
import { createTokenBroker } from 'weavy-token/broker'

/** How long a store that did not answer is left alone, and how often `forget()` tells it again. */
const REST_MS = 5_000

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function startRedis() {
  const port = await freePort()
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'].map(String)
  const process = spawn('redis-server', args, { stdio: 'ignore' })
  process.on('error', () => {
    throw new Error('this folder needs Redis: apt-get install redis-server')
  })
  const url = `redis://127.0.0.1:${port}`
  const client = createClient({ url, socket: { reconnectStrategy: () => 50 } })
  client.on('error', () => {})
  await client.connect()
  return { url, process, command: (...words) => client.sendCommand(words) }
}

const troubles = {
  full: {
    begin: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  'a read-only replica': {
    begin: ({ command }) => command('REPLICAOF', '127.0.0.1', '1'),
    end: ({ command }) => command('REPLICAOF', 'NO', 'ONE'),
  },
  'slow to write': {
    begin: ({ command }) => command('CLIENT', 'PAUSE', '60000', 'WRITE'),
    end: ({ command }) => command('CLIENT', 'UNPAUSE'),
  },
  stopped: {
    begin: ({ process }) => process.kill('SIGSTOP'),
    end: ({ process }) => process.kill('SIGCONT'),
  },
}
const stores = {
  'as the docs make it': (url) => new Keyv(new KeyvRedis(url), { throwOnErrors: true }),
  'an adapter that throws': (url) => new Keyv(new KeyvRedis(url, { throwOnErrors: true })),
  createKeyv,
}
/** An error that nobody hears ends the process. */
const heard = (keyv) => {
  keyv.on('error', () => {})
  return keyv
}

let issued = 0
const fetch = async () => Response.json({ access_token: `wyu_${++issued}`, expires_in: 3600 })

/** A broker that shares no memory with those that were made before: as if in another process. */
function createBroker(store) {
  delete globalThis[Symbol.for('weavy-token.broker.memory.1')]
  const lines = []
  const broker = createTokenBroker({
    weavyUrl: 'https://acme.weavy.io',
    apiKey: 'wys_key',
    user: () => ({ uid: 'u1' }),
    store,
    fetch,
    log: (line) => lines.push(line),
  })
  const ask = async (query = '') => {
    const response = await broker.fetch(new Request(`https://app.example/api/token${query}`))
    assert.equal(response.status, 200)
    return (await response.json()).access_token
  }
  return { ask, forget: () => broker.forget('u1'), lines }
}

async function eventually(check) {
  for (const end = performance.now() + 20_000; !(await check()); await sleep(50))
    assert(performance.now() < end, `not seen within 20 s: ${check}`)
}

async function check(trouble, createStore) {
  const redis = await startRedis()
  try {
    const one = createBroker(heard(createStore(redis.url)))
    const other = createBroker(heard(createStore(redis.url)))
    const first = await one.ask()
    assert.equal(await other.ask(), first)

    await trouble.begin(redis)
    const second = await one.ask('?refresh=true')
    assert.notEqual(second, first)
    for (let i = 0; i < 3; i++) assert.equal(await one.ask(), second)
    assert.equal(one.lines.length, 1)
    assert.match(one.lines[0], /The token store failed/)
    await sleep(REST_MS + 100)
    for (let i = 0; i < 3; i++) assert.equal(await one.ask(), second)
    assert.equal(await one.forget(), false)
    const third = await one.ask()
    assert(![first, second].includes(third))

    await trouble.end(redis)
    await eventually(async () => (await one.ask()) === (await other.ask()))
    await eventually(() => /works again/.test(one.lines.at(-1)))
    for (const { ask } of [one, other]) assert(![first, second].includes(await ask()))
  } finally {
    redis.process.kill('SIGKILL')
  }
}

const runs = Object.entries(troubles).flatMap(([name, trouble]) =>
  Object.entries(stores).map(async ([kind, createStore]) => {
    try {
      await check(trouble, createStore)
    } catch (cause) {
      throw new Error(`${name}, ${kind}`, { cause })
    }
  }),
)
const failures = (await Promise.allSettled(runs)).filter(({ status }) => status === 'rejected')
for (const { reason } of failures) console.error(reason)
process.exit(failures.length)
