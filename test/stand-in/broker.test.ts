import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  ConnectionReset,
  createFaultyBroker,
  type Fault,
  type FaultyBroker,
} from '../../demo/stand-in/broker.js'

const URL = 'http://127.0.0.1/api/token'
const ORIGIN = 'https://app.example'

let issued: number
let broker: FaultyBroker
beforeEach(() => {
  issued = 0
  const fetch = async () => Response.json({ access_token: `wyu_${++issued}`, expires_in: 60 })
  broker = createFaultyBroker({ fetch, allowedOrigins: [ORIGIN] })
})
afterEach(() => {
  vi.useRealTimers()
})

const ask = (query = '', init?: RequestInit) => broker.fetch(new Request(URL + query, init))

test('without a fault the broker behind it answers', async () => {
  expect(await (await ask()).json()).toEqual({ access_token: 'wyu_1', expires_in: 60 })
  expect(await (await ask('?refresh=true')).json()).toEqual({ access_token: 'wyu_2', expires_in: 60 })
  expect(broker.requests).toMatchObject([
    { refresh: false, status: 200 },
    { refresh: true, status: 200 },
  ])
})

describe('faults that answer', () => {
  test.each<[Fault, number, string | null]>([
    [{ kind: 'down' }, 503, null],
    [{ kind: 'down', retryAfter: 2 }, 503, '2'],
    [{ kind: 'rate-limited' }, 429, null],
    [{ kind: 'rate-limited', retryAfter: 7 }, 429, '7'],
    [{ kind: 'signed-out' }, 401, null],
  ])('%j', async (fault, status, retryAfter) => {
    broker.fault = fault
    const response = await ask()
    expect(response.status).toBe(status)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(broker.requests).toMatchObject([{ status }])
    expect(issued).toBe(0)
  })

  test.each<[Fault['kind'], string, RegExp]>([
    ['garbage', 'application/json', /^{"access_tok$/],
    ['html', 'text/html', /^<!doctype html>/],
    ['empty', 'application/json', /^$/],
    ['api-key', 'application/json', /^{"access_token":"wys_\w+","expires_in":3600}$/],
  ])('%s answers 200 with such a body', async (kind, type, body) => {
    broker.fault = { kind } as Fault
    const response = await ask()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(await response.text()).toMatch(body)
    expect(issued).toBe(0)
  })

  test('same-token repeats the last good answer, also for a refresh', async () => {
    await ask()
    broker.fault = { kind: 'same-token' }
    for (const query of ['', '?refresh=true'])
      expect(await (await ask(query)).json()).toEqual({ access_token: 'wyu_1', expires_in: 60 })
    expect(issued).toBe(1)
    broker.fault = null
    expect(await (await ask()).json()).toMatchObject({ access_token: 'wyu_2' })
  })

  test('same-token gets a token first when there was none', async () => {
    broker.fault = { kind: 'same-token' }
    for (let n = 0; n < 3; n++) expect(await (await ask()).json()).toMatchObject({ access_token: 'wyu_1' })
    expect(issued).toBe(1)
  })

  test('pages of allowed origins can read them, others cannot', async () => {
    broker.fault = { kind: 'down', retryAfter: 2 }
    const shared = await ask('', { headers: { origin: ORIGIN } })
    expect(Object.fromEntries(shared.headers)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'Retry-After',
      vary: 'Origin',
    })
    const other = await ask('', { headers: { origin: 'https://other.example' } })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('faults of time and connection', () => {
  test('reset rejects, for the server to cut the connection', async () => {
    broker.fault = { kind: 'reset' }
    await expect(ask()).rejects.toBeInstanceOf(ConnectionReset)
    expect(broker.requests).toMatchObject([{ status: 'reset' }])
  })

  test('slow gives the right answer so much later', async () => {
    vi.useFakeTimers()
    broker.fault = { kind: 'slow', ms: 3_000 }
    const answer = ask()
    await vi.advanceTimersByTimeAsync(2_999)
    expect(issued).toBe(0)
    expect(broker.requests).toMatchObject([{ status: 'hung', ms: 0 }])
    await vi.advanceTimersByTimeAsync(1)
    expect(await (await answer).json()).toMatchObject({ access_token: 'wyu_1' })
    expect(broker.requests).toMatchObject([{ status: 200, ms: 3_000 }])
  })

  test('hang gives no answer until the client gives up, and goes on when the fault is over', async () => {
    broker.fault = { kind: 'hang' }
    const controller = new AbortController()
    const answer = ask('', { signal: controller.signal })
    broker.fault = null
    expect((await ask()).status).toBe(200)
    expect(broker.requests).toMatchObject([{ status: 'hung', ms: 0 }, { status: 200 }])
    controller.abort()
    await expect(answer).rejects.toBeInstanceOf(ConnectionReset)
    expect(broker.requests[0]).toMatchObject({ status: 'hung' })
    expect(broker.requests[0]?.ms).toBeGreaterThan(0)
  })
})

test('what is no GET is left to the broker behind, uncounted', async () => {
  broker.fault = { kind: 'down' }
  expect((await ask('', { method: 'OPTIONS' })).status).toBe(200)
  expect(broker.requests).toEqual([])
})
