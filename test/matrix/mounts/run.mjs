// The table "Where the broker is mounted" of docs/frameworks.md: each framework makes its own Request.
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { getRequest, setResponse } from '@sveltejs/kit/node'
import { NodeApp } from 'astro/app/node'
import { createApp, createRouter, defineEventHandler, toNodeListener, toWebRequest } from 'h3'
import { createStaticHandler } from 'react-router'
import { createTokenBroker } from 'weavy-token/broker'

const broker = createTokenBroker({
  weavyUrl: 'https://weavy.example',
  apiKey: 'wys_of_this_test',
  user: (request) => {
    const uid = /user=(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1]
    return uid ? { uid } : null
  },
  fetch: async () => Response.json({ access_token: 'wyu_of_this_test', expires_in: 3600 }),
  log: (line) => assert.fail(line),
})

const listen = (server) =>
  new Promise((listening) => {
    server.listen(0, '127.0.0.1', () => listening(`http://127.0.0.1:${server.address().port}`))
  })

const mounts = {
  async 'Nuxt (h3)'() {
    const handler = defineEventHandler((event) => broker.fetch(toWebRequest(event)))
    const app = createApp().use(createRouter().get('/api/token', handler))
    return listen(createServer(toNodeListener(app)))
  },
  async SvelteKit() {
    const GET = ({ request }) => broker.fetch(request)
    return listen(
      createServer(async (incoming, outgoing) => {
        const request = await getRequest({ base: `http://${incoming.headers.host}`, request: incoming })
        await setResponse(outgoing, await GET({ request }))
      }),
    )
  },
  async Astro() {
    const GET = ({ request }) => broker.fetch(request)
    return listen(
      createServer(async (incoming, outgoing) => {
        await NodeApp.writeResponse(await GET({ request: NodeApp.createRequest(incoming) }), outgoing)
      }),
    )
  },
  async 'React Router'() {
    const loader = ({ request }) => broker.fetch(request)
    const { queryRoute } = createStaticHandler([{ id: 'token', path: '/api/token', loader }])
    return listen(createServer(getRequestListener((request) => queryRoute(request, { routeId: 'token' }))))
  },
  async 'Nest on Express'() {
    class App {}
    Module({})(App)
    const app = await NestFactory.create(App, { logger: false })
    app.use('/api/token', getRequestListener(broker.fetch, { overrideGlobalObjects: false }))
    await app.listen(0, '127.0.0.1')
    return app.getUrl()
  },
}

for (const [name, mount] of Object.entries(mounts)) {
  const url = `${await mount()}/api/token`
  const refused = await fetch(url)
  assert.equal(refused.status, 401, name)
  const answer = await fetch(`${url}?refresh=true`, { headers: { cookie: 'user=ann' } })
  assert.equal(answer.status, 200, name)
  const { access_token, expires_in } = await answer.json()
  assert.deepEqual([access_token, expires_in > 3500], ['wyu_of_this_test', true], name)
  assert.equal(answer.headers.get('cache-control'), 'no-store', name)
}
process.exit()
