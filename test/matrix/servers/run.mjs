// The broker in the servers that people have: mounted as the docs say, mounted as nobody should, and with a session cookie
// that the framework rotates while the broker asks who is signed in.
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { getRequestListener, serve } from '@hono/node-server'
import express from 'express'
import express4 from 'express-4'
import session from 'express-session'
import fastify from 'fastify'
import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import Koa from 'koa'
import { createTokenBroker } from 'weavy-token/broker'

const lines = []
const makeBroker = (user = () => ({ uid: 'u1' })) =>
  createTokenBroker({
    weavyUrl: 'https://acme.weavy.io',
    apiKey: 'wys_key',
    user,
    fetch: async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 }),
    log: (line) => lines.push(line),
  })
const listenerOf = (broker) => getRequestListener(broker.fetch, { overrideGlobalObjects: false })

/** Asks a server once. */
async function ask(server, init = {}) {
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const url = `http://127.0.0.1:${server.address().port}/api/token`
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(5_000) })
    return {
      status: response.status,
      cookies: response.headers.getSetCookie(),
      text: await response.text(),
      response,
    }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function fastifyServer(route) {
  const app = fastify()
  app.get('/api/token', route)
  await app.ready()
  return app.server
}

function koaServer(middleware) {
  return createServer(new Koa().use(middleware).callback())
}

async function mountedAsTheDocsSay() {
  const listener = listenerOf(makeBroker())
  const servers = {
    'node:http': createServer(listener),
    'Express 4': createServer(express4().get('/api/token', listener)),
    'Express 5': createServer(express().get('/api/token', listener)),
    Koa: koaServer((context) => {
      context.respond = false
      return listener(context.req, context.res)
    }),
    Fastify: await fastifyServer((request, reply) => {
      reply.hijack()
      return listener(request.raw, reply.raw)
    }),
  }
  for (const [name, server] of Object.entries(servers)) {
    const { status, text } = await ask(server)
    assert.equal(status, 200, `${name}: ${text}`)
    assert.equal(JSON.parse(text).access_token, 'wyu_1', name)
  }
  assert.deepEqual(lines, [])
}

async function mountedWithoutARequest() {
  const servers = {
    'node:http': createServer(makeBroker().fetch),
    'Express 4': createServer(express4().get('/api/token', makeBroker().fetch)),
    'Express 5': createServer(express().get('/api/token', makeBroker().fetch)),
    Koa: koaServer(makeBroker().fetch),
    Fastify: await fastifyServer(makeBroker().fetch),
  }
  for (const [name, server] of Object.entries(servers)) {
    const { status, text } = await ask(server)
    assert.equal(status, 500, `${name}: ${text}`)
    assert.match(JSON.parse(text).detail, /getRequestListener/, name)
    assert.match(lines.pop() ?? '', /fetch\(\) was called without a Request/, name)
    assert.deepEqual(lines, [], name)
  }
}

/** The id of the session is another after each request. */
async function rotatingExpressSession() {
  const broker = makeBroker(async (_request, { incoming }) => {
    const { user } = incoming.session
    if (!user) return null
    await new Promise((resolve, reject) =>
      incoming.session.regenerate((error) => (error ? reject(error) : resolve())),
    )
    incoming.session.user = user
    return { uid: user }
  })
  const makeServer = () => {
    const app = express()
    app.use(session({ name: 'sid', secret: 'secret', resave: false, saveUninitialized: false, store }))
    app.get('/sign-in', (request, response) => {
      request.session.user = 'u1'
      response.end()
    })
    app.get('/api/token', listenerOf(broker))
    return createServer(app)
  }
  const store = new session.MemoryStore()
  const server = makeServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const signedIn = await fetch(`http://127.0.0.1:${server.address().port}/sign-in`)
  let cookie = signedIn.headers.getSetCookie()[0].split(';')[0]
  server.closeAllConnections()
  server.close()
  for (let i = 0; i < 3; i++) {
    const { status, cookies, text } = await ask(makeServer(), { headers: { cookie } })
    assert.equal(status, 200, text)
    assert.equal(cookies.length, 1, 'the rotated cookie of express-session is lost')
    const rotated = cookies[0].split(';')[0]
    assert.notEqual(rotated, cookie)
    const old = await ask(makeServer(), { headers: { cookie } })
    assert.equal(old.status, 401, 'the old session is over')
    cookie = rotated
  }
}

async function honoApp() {
  const broker = makeBroker((request, context) => {
    const id = /sid=(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1]
    if (!id) throw new HTTPException(401, { message: 'Sign in first' })
    setCookie(context, 'sid', `${id}x`, { httpOnly: true })
    return { uid: id }
  })
  const app = new Hono()
  app.use(async (context, next) => {
    setCookie(context, 'seen', '1')
    await next()
  })
  app.get('/api/token', async (context) => {
    const answer = await broker.fetch(context.req.raw, context)
    return context.newResponse(answer.body, answer)
  })
  const makeServer = () => serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  const listening = async () => {
    const server = makeServer()
    await once(server, 'listening')
    return server
  }
  const { status, cookies, text } = await ask(await listening(), { headers: { cookie: 'sid=abc' } })
  assert.equal(status, 200, text)
  assert.deepEqual(cookies.map((cookie) => cookie.split(';')[0]).sort(), ['seen=1', 'sid=abcx'])
  const anonymous = await ask(await listening())
  assert.equal(anonymous.status, 401)
  assert.equal(anonymous.response.headers.get('cache-control'), 'no-store')
  assert.deepEqual(lines, [])
}

await mountedAsTheDocsSay()
await mountedWithoutARequest()
await rotatingExpressSession()
await honoApp()
