// One process of the fleet that test/bench/fleet.ts measures: the broker with the store of docs/broker.md, or a bare
// handler with the same JSON. The user is the cookie.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { createClient } from '@keyv/redis'
import { createTokenBroker } from '../../src/broker/index.js'

const { REDIS_URL = '', WEAVY_URL, WEAVY_APIKEY, LIFETIME = '60', LEASE } = process.env
const redis = createClient({ url: REDIS_URL, disableOfflineQueue: true, socket: { connectTimeout: 1_000 } })
redis.on('error', () => {})
redis.connect().catch(() => {})

const store = {
  get: async (key: string) => JSON.parse((await redis.get(key)) ?? 'null') ?? undefined,
  set: (key: string, value: unknown, ttlMs: number) => redis.set(key, JSON.stringify(value), { PX: ttlMs }),
  delete: (key: string) => redis.del(key),
  ...(LEASE === '1' && {
    lease: async (key: string, ttlMs: number) =>
      (await redis.set(key, '1', { NX: true, PX: ttlMs })) === 'OK',
  }),
}

const broker = createTokenBroker({
  weavyUrl: WEAVY_URL,
  apiKey: WEAVY_APIKEY,
  expiresIn: Number(LIFETIME),
  store,
  user: (request) => ({ uid: request.headers.get('cookie') ?? '' }),
  log: () => {},
})

const bare = async () =>
  new Response(
    JSON.stringify({ access_token: `wyu_${'x'.repeat(40)}`, expires_in: 59, sub: 'x'.repeat(22) }),
    {
      headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' },
    },
  )

const listenToBroker = getRequestListener((request) => broker.fetch(request))
const listenToBare = getRequestListener(bare)
const server = createServer((incoming, outgoing) => {
  const listen = incoming.url?.startsWith('/bare') ? listenToBare : listenToBroker
  return void listen(incoming, outgoing)
})
// A connection that the server closes while a tab uses it again is not what is measured.
server.keepAliveTimeout = 300_000
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})
process.on('disconnect', () => process.exit())
