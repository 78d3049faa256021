import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { type Context, Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { createTokenBroker, toUid } from '../../src/broker/index.js'

const PARTNER = 'https://partner.example'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startWeavy(): Promise<StandInWeavy> {
  const weavy = await createStandInWeavy()
  closing.push(() => weavy.close())
  return weavy
}

function optionsFor(weavy: StandInWeavy) {
  return { weavyUrl: weavy.url, apiKey: weavy.apiKey, allowedOrigins: [PARTNER], log: () => {} }
}

/** The app's session is its cookie. */
function userOfCookie(cookie: string | null | undefined) {
  const id = /sid=(\w+)/.exec(cookie ?? '')?.[1]
  return id === undefined ? null : { uid: toUid(id), name: 'Ada' }
}

const mounts: Record<string, (weavy: StandInWeavy) => Server> = {
  'node:http'(weavy) {
    const broker = createTokenBroker({
      ...optionsFor(weavy),
      user: (request) => userOfCookie(request.headers.get('cookie')),
    })
    const listener: RequestListener = getRequestListener(broker.fetch, { overrideGlobalObjects: false })
    return createServer(listener)
  },

  'Express 5, with the user from its own request'(weavy) {
    const broker = createTokenBroker({
      ...optionsFor(weavy),
      user: (_request, { incoming }: { incoming: object }) =>
        (incoming as { user?: ReturnType<typeof userOfCookie> }).user,
    })
    const app = express()
    app.use(express.json())
    app.use((request, _response, next) => {
      Object.assign(request, { user: userOfCookie(request.headers.cookie) })
      next()
    })
    app.all('/api/token', getRequestListener(broker.fetch, { overrideGlobalObjects: false }))
    return createServer(app)
  },

  'Hono, with the user from its context'(weavy) {
    const broker = createTokenBroker({
      ...optionsFor(weavy),
      user: (_request, context: Context) => userOfCookie(context.req.header('cookie')),
    })
    const app = new Hono()
    app.all('/api/token', (context) => broker.fetch(context.req.raw, context))
    return createServer(getRequestListener(app.fetch))
  },
}

describe.each(Object.entries(mounts))('mounted in %s', (_, mount) => {
  async function start() {
    const weavy = await startWeavy()
    const origin = await serve(mount(weavy))
    const get = (query = '', init: RequestInit = {}) =>
      fetch(`${origin}/api/token${query}`, { ...init, headers: { Cookie: 'sid=256', ...init.headers } })
    return { weavy, get, origin }
  }

  test('gives, reuses and replaces tokens that Weavy takes', async () => {
    const { weavy, get } = await start()
    const first = await get()
    expect(first.status).toBe(200)
    expect(first.headers.get('content-type')).toBe('application/json')
    expect(first.headers.get('cache-control')).toBe('no-store')
    const body = (await first.json()) as { access_token: string }
    expect(body).toEqual({
      access_token: expect.stringMatching(/^wyu_/),
      expires_in: expect.any(Number),
      sub: expect.stringMatching(/^[\w-]{22}$/),
    })
    expect(await (await get()).json()).toMatchObject({ access_token: body.access_token })
    const second = (await (await get('?refresh=true')).json()) as { access_token: string }
    expect(second.access_token).not.toBe(body.access_token)
    const me = await fetch(`${weavy.url}/api/user`, {
      headers: { Authorization: `Bearer ${second.access_token}` },
    })
    expect(await me.json()).toMatchObject({ uid: 'u256', name: 'Ada' })
  })

  test('refuses who is not signed in, other methods and other sites', async () => {
    const { get } = await start()
    const anonymous = await get('', { headers: { Cookie: '' } })
    expect(anonymous.status).toBe(401)
    expect(anonymous.headers.get('content-type')).toBe('application/problem+json')
    const post = await get('', {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(post.status).toBe(405)
    expect(post.headers.get('allow')).toBe('GET, OPTIONS')
    expect((await get('', { method: 'HEAD' })).status).toBe(405)
    expect((await get('', { headers: { Origin: 'https://evil.example' } })).status).toBe(403)
  })

  test('serves its own origin and one that is allowed, preflight included', async () => {
    const { get, origin } = await start()
    expect((await get('', { headers: { Origin: origin } })).status).toBe(200)
    const preflight = await get('', {
      method: 'OPTIONS',
      headers: { Origin: PARTNER, 'Access-Control-Request-Headers': 'x-csrf' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toBe('x-csrf')
    const cors = await get('', { headers: { Origin: PARTNER } })
    expect(cors.status).toBe(200)
    expect(cors.headers.get('access-control-allow-origin')).toBe(PARTNER)
  })

  test('says when Weavy is gone', async () => {
    const { weavy, get } = await start()
    await weavy.close()
    const reply = await get()
    expect(reply.status).toBe(503)
    expect(reply.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})
