// The server that test/bench/broker.ts puts load on: the same adapter, with a bare handler and with the broker.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { createTokenBroker, toUid } from '../../src/broker/index.js'

const token = `wyu_${'x'.repeat(40)}`

const broker = createTokenBroker({
  weavyUrl: 'https://acme.weavy.test',
  apiKey: 'wys_key',
  user: async (request) => ({ uid: toUid(request.headers.get('cookie') ?? ''), name: 'Ada' }),
  fetch: async () => Response.json({ access_token: token, expires_in: 3600 }),
})

async function bare() {
  return new Response(JSON.stringify({ access_token: token, expires_in: 3599 }), {
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' },
  })
}

const hono = new Hono()
hono.get('/bare', bare)
hono.all('/broker', (context) => broker.fetch(context.req.raw))

const app = express()
app.get('/bare', getRequestListener(bare))
app.all(
  '/broker',
  getRequestListener((request) => broker.fetch(request)),
)

const listenToBare = getRequestListener(bare)
const listenToBroker = getRequestListener((request) => broker.fetch(request))

const servers: Record<string, Server> = {
  'node:http': createServer((incoming, outgoing) => {
    const listen = incoming.url === '/bare' ? listenToBare : listenToBroker
    return void listen(incoming, outgoing)
  }),
  Hono: createServer(getRequestListener(hono.fetch)),
  'Express 5': createServer(app),
}

const ports: Record<string, number> = {}
for (const [name, server] of Object.entries(servers)) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ports[name] = (server.address() as AddressInfo).port
}
process.send?.({ ports })
// Whoever asks learns how much processor time was used so far, in microseconds.
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})
process.on('disconnect', () => process.exit())
