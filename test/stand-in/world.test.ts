import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWorld, type World } from '../../demo/stand-in/world.js'
import { asUser } from './requests.js'

const ORIGIN = 'http://127.0.0.1:5173'

let world: World
beforeEach(async () => {
  world = await createWorld({ allowedOrigins: [ORIGIN], lifetimeSeconds: 30 })
})
afterEach(() => world.close())

const ask = (query = '', init?: RequestInit) => fetch(world.tokenUrl + query, init)
async function askForToken(query = '') {
  const { access_token } = (await (await ask(query)).json()) as { access_token: string }
  return access_token
}
const whose = async (token: string) => {
  const user = (await (await asUser(world.weavy, token, '/api/user')).json()) as { name: string }
  return user.name
}

test('its broker gives tokens that its environment takes, one until a newer one is asked for', async () => {
  const first = await askForToken()
  expect(await whose(first)).toBe('Alice')
  expect(await askForToken()).toBe(first)
  expect(await askForToken('?refresh=true')).not.toBe(first)
  expect(world.weavy.requests.filter(({ kind }) => kind === 'token')).toHaveLength(2)
  expect(world.broker.requests.map(({ refresh }) => refresh)).toEqual([false, false, true])
})

test('the token is for who is signed in, or for the user in the query', async () => {
  world.user = 'bob'
  expect(await whose(await askForToken())).toBe('Bob')
  expect(await whose(await askForToken('?user=carol'))).toBe('Carol')
  world.user = null
  expect((await ask()).status).toBe(401)
})

test('its lifetime is that of the tokens', async () => {
  const { expires_in } = (await (await ask()).json()) as { expires_in: number }
  expect(expires_in).toBeGreaterThanOrEqual(29)
  expect(expires_in).toBeLessThanOrEqual(30)
})

describe('over a connection', () => {
  test('reset cuts it, and the next request has one of its own', async () => {
    expect((await ask()).headers.get('connection')).toBe('close')
    world.broker.fault = { kind: 'reset' }
    const error = await ask().catch((thrown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.cause.code).toBe('ECONNRESET')
    world.broker.fault = null
    expect((await ask()).status).toBe(200)
    expect(world.broker.requests.map(({ status }) => status)).toEqual([200, 'reset', 200])
  })

  test('a client that gives up ends a request that hangs', async () => {
    world.broker.fault = { kind: 'hang' }
    await expect(ask('', { signal: AbortSignal.timeout(100) })).rejects.toThrow()
    await expect.poll(() => world.broker.requests[0]?.ms).toBeGreaterThan(50)
    expect(world.broker.requests).toMatchObject([{ status: 'hung' }])
  })

  test('close ends what hangs', async () => {
    world.broker.fault = { kind: 'hang' }
    const answer = ask().catch((thrown) => thrown)
    await expect.poll(() => world.broker.requests).toHaveLength(1)
    await world.close()
    expect(await answer).toBeInstanceOf(TypeError)
  })
})

describe('pages of allowed origins', () => {
  test.each([null, { kind: 'down', retryAfter: 2 } as const])(
    'can read the answer with fault %j',
    async (fault) => {
      world.broker.fault = fault
      const { headers } = await ask('', { headers: { origin: ORIGIN } })
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(headers.get('access-control-allow-credentials')).toBe('true')
      expect(headers.get('access-control-expose-headers')).toBe('Retry-After')
    },
  )

  test('can send headers of their own', async () => {
    const headers = {
      origin: ORIGIN,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'x-csrf-token',
    }
    const response = await ask('', { method: 'OPTIONS', headers })
    expect(response.ok).toBe(true)
    expect(response.headers.get('access-control-allow-headers')).toContain('x-csrf-token')
  })
})
