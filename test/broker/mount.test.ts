import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Hono } from 'hono'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createTokenBroker, type TokenBroker } from '../../src/broker/index.js'
import { ask, createTestBroker, TOKEN_URL } from './ask.js'
import { API_KEY, WEAVY_URL } from './scripted-weavy.js'

const fetch = async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 })

/** What a framework calls a route with is none of the types that `fetch` declares. */
type Route = (...args: unknown[]) => Promise<Response>
const routeOf = (broker: TokenBroker) => broker.fetch as unknown as Route

describe('the event of a route, as SvelteKit, Astro and React Router hand it over', () => {
  const eventOf = (init?: RequestInit) => ({
    request: new Request(TOKEN_URL, init),
    locals: { session: 's' },
  })

  test('is answered, and user() gets its request, and the event as context', async () => {
    const user = vi.fn(() => ({ uid: 'u1' }))
    const { broker } = createTestBroker({ user, fetch })
    const event = eventOf()
    const response = await broker.fetch(event)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ access_token: 'wyu_1' })
    expect(user).toHaveBeenCalledExactlyOnceWith(event.request, event)
  })

  test('gives way to a context that is given', async () => {
    const user = vi.fn(() => null)
    const { broker } = createTestBroker({ user })
    const event = eventOf()
    await routeOf(broker)(event, 'mine')
    expect(user).toHaveBeenCalledExactlyOnceWith(event.request, 'mine')
  })

  test('obeys the rules of every request', async () => {
    const { broker } = createTestBroker()
    expect((await broker.fetch(eventOf({ method: 'POST' }))).status).toBe(405)
    expect((await broker.fetch(eventOf({ headers: { Origin: 'https://evil.example' } }))).status).toBe(403)
  })

  test('names the type of its context once', async () => {
    const broker = createTokenBroker({
      weavyUrl: WEAVY_URL,
      apiKey: API_KEY,
      user: (_request, { locals }: { locals: { session: string } }) => ({ uid: locals.session }),
      fetch,
    })
    expect((await broker.fetch(eventOf())).status).toBe(200)
  })
})

describe('a server that hands over no Request', () => {
  const cure = /fetch\(\) was called without a Request.*getRequestListener\(broker\.fetch\)/

  test.each([
    [undefined],
    [null],
    [42],
    [TOKEN_URL],
    [{}],
    [{ request: { url: TOKEN_URL } }],
    [{ url: TOKEN_URL, method: 'GET' }],
    [{ url: TOKEN_URL, headers: new Headers() }],
    [{ url: { href: TOKEN_URL }, method: 'GET', headers: new Headers() }],
    [new URL(TOKEN_URL)],
  ])('a call with %j is answered with 500, and the log has the cure once', async (incoming) => {
    const { broker, lines } = createTestBroker()
    for (const _ of [1, 2]) {
      const response = await routeOf(broker)(incoming)
      expect(response.status).toBe(500)
      expect(await response.json()).toMatchObject({ type: 'urn:weavy-token:problem:wrong_mount' })
    }
    expect(lines).toEqual([expect.stringMatching(cure)])
  })

  const closing: Server[] = []
  afterEach(() => {
    for (const server of closing.splice(0)) server.close()
  })
  async function urlOf(server: Server): Promise<string> {
    closing.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/token`
  }

  const mounts: Record<string, (route: Route) => Server> = {
    'node:http': (route) => createServer(route),
    'Express 5': (route) => createServer(express().get('/api/token', route)),
    "the pages API of Next.js, whose handler's result nobody reads": (route) =>
      createServer((request, response) => void route(Object.assign(request, { query: {} }), response)),
    'Koa, whose context holds the response': (route) =>
      createServer((req, res) => void route({ req, res, request: {} }, async () => {})),
  }
  test.each(Object.entries(mounts))('%s: the client is answered at once', async (_, mount) => {
    const { broker, lines } = createTestBroker()
    const response = await globalThis.fetch(await urlOf(mount(routeOf(broker))), {
      headers: { Connection: 'close' },
    })
    expect(response.status).toBe(500)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('getRequestListener') })
    expect(lines).toEqual([expect.stringMatching(cure)])
  })

  test('Hono, given its route without the raw request, answers with the cure', async () => {
    const { broker, lines } = createTestBroker()
    const app = new Hono().get('/api/token', routeOf(broker))
    expect((await app.request('/api/token')).status).toBe(500)
    expect(lines).toEqual([expect.stringContaining('broker.fetch(c.req.raw, c)')])
  })

  test.each([
    ['end', { end: vi.fn() }],
    ['setHeader', { setHeader: vi.fn() }],
  ])('a context that has %s and is no response is left alone', async (name, context) => {
    const { broker } = createTestBroker()
    expect((await routeOf(broker)({}, context)).status).toBe(500)
    expect(Object.keys(context)).toEqual([name])
  })

  test('a response that was sent before harms nobody', async () => {
    const { broker } = createTestBroker()
    const sent = {
      setHeader() {
        throw new Error('ERR_HTTP_HEADERS_SENT')
      },
      end() {},
    }
    expect((await routeOf(broker)({}, sent)).status).toBe(500)
  })
})

test('a Request of another realm is a request', async () => {
  const { broker } = createTestBroker({ fetch })
  const { url, method, headers } = new Request(TOKEN_URL)
  expect((await routeOf(broker)({ url, method, headers })).status).toBe(200)
  expect((await ask(broker)).status).toBe(200)
})
