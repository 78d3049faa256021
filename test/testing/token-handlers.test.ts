import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createTokenSource, type TokenSourceOptions } from 'weavy-token'
import { type HandlersAnswer, tokenHandlers } from 'weavy-token/testing'
import { digestOf } from '../../src/wire.js'

const tokenUrl = 'https://app.example/api/token'
let next: HandlersAnswer
const urls: URL[] = []

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(() => {
  next = {}
  urls.length = 0
  server.use(...tokenHandlers({ http, HttpResponse, tokenUrl, answer: () => next }))
  server.events.on('request:start', ({ request }) => urls.push(new URL(request.url)))
})
afterEach(() => {
  server.resetHandlers()
  server.events.removeAllListeners()
})
afterAll(() => server.close())

const create = (options: TokenSourceOptions = {}) => {
  const source = createTokenSource({ tokenUrl, maxWaitMs: 0, ...options })
  onTestFinished(source.close)
  return source
}
const ask = async (query = '') => {
  const response = await fetch(`${tokenUrl}${query}`)
  return { response, body: await response.json() }
}

test('a token that lives for an hour is the answer when nothing else is said', async () => {
  server.resetHandlers(...tokenHandlers({ http, HttpResponse, tokenUrl }))
  const { response, body } = await ask()
  expect(body).toEqual({ access_token: 'wyu_test_1', expires_in: 3600 })
  expect(response.headers.get('cache-control')).toBe('no-store')
})

test('a stored token is given again, with what remains of its life, until its last tenth', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  next = { sub: 'a' }
  await ask()
  vi.advanceTimersByTime(3_000_000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_1', expires_in: 600, sub: 'a' })
  vi.advanceTimersByTime(300_000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_2', expires_in: 3600, sub: 'a' })
})

test('a source that refuses its token gets another one', async () => {
  const { getToken } = create()
  const first = await getToken()
  expect(await getToken({ rejected: first })).toBe('wyu_test_2')
  expect(urls.map(({ search }) => search)).toEqual(['', '?refresh=true'])
})

test('pages that refuse one token get one new one, and who refuses that gets another', async () => {
  const refuse = async (token: string): Promise<string> =>
    (await ask(`?refresh=true&refused=${await digestOf(token)}`)).body.access_token
  const { body } = await ask()
  const second = await refuse(body.access_token)
  expect([second, await refuse(body.access_token)]).toEqual(['wyu_test_2', 'wyu_test_2'])
  expect(await refuse(second)).toBe('wyu_test_3')
})

test('a token that has been replaced already is not replaced again for who holds an older one', async () => {
  const { body: first } = await ask()
  const { body: second } = await ask(`?refresh=true&held=${await digestOf(first.access_token)}`)
  expect(second.access_token).toBe('wyu_test_2')
  const { body: third } = await ask(`?refresh=true&held=${await digestOf(first.access_token)}`)
  expect(third.access_token).toBe('wyu_test_2')
})

test.each([
  ['signed_out', 401],
  ['rate_limited', 429],
  ['broker_error', 503],
  ['bad_response', undefined],
  ['wrong_token', undefined],
  ['unreachable', undefined],
] as const)('a source tells %s', async (code, status) => {
  next = code
  await expect(create().getToken()).rejects.toMatchObject({ code, ...(status && { status }) })
})

test('a pending request ends when its caller gives up', async () => {
  next = 'pending'
  const abort = new AbortController()
  const token = create().getToken({ signal: abort.signal })
  await vi.waitFor(() => expect(urls).toHaveLength(1))
  abort.abort(new Error('enough'))
  await expect(token).rejects.toThrow('enough')
})
