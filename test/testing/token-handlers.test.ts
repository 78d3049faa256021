import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createTokenSource, type TokenSourceOptions } from 'weavy-token'
import { type HandlersAnswer, tokenHandlers } from 'weavy-token/testing'
import { Problem, problemResponse, tokenError } from '../../src/broker/problem.js'
import { DEFAULT_RETRY_AFTER } from '../../src/broker/weavy-failure.js'
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

test('a stored token is given again, with what remains of its life, until its last minute', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  next = { sub: 'a' }
  await ask()
  vi.advanceTimersByTime(3_000_000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_1', expires_in: 600, sub: 'a' })
  vi.advanceTimersByTime(539_000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_1', expires_in: 61, sub: 'a' })
  vi.advanceTimersByTime(1000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_2', expires_in: 3600, sub: 'a' })
})

test('a short life is not given again in its last tenth', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  next = { expiresIn: 100 }
  await ask()
  vi.advanceTimersByTime(89_000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_1', expires_in: 11 })
  vi.advanceTimersByTime(1000)
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_2', expires_in: 100 })
})

test('each user has a token of their own, and the same one again', async () => {
  const alice = { sub: 'a' }
  const bob = { sub: 'b' }
  const { getToken, setUser } = create({ user: 'alice' })
  next = alice
  expect(await getToken()).toBe('wyu_test_1')
  next = bob
  setUser('bob')
  expect(await getToken()).toBe('wyu_test_2')
  next = alice
  setUser('alice')
  expect(await getToken()).toBe('wyu_test_1')
})

test('a token that the test names replaces the stored one, and is stored', async () => {
  await ask()
  next = { token: 'wyu_mine' }
  expect((await ask()).body.access_token).toBe('wyu_mine')
  next = {}
  expect((await ask()).body.access_token).toBe('wyu_mine')
})

test('what one user refused is not refused for another', async () => {
  const token = 'wyu_shared'
  const refuse = async () => (await ask(`?refresh=true&refused=${await digestOf(token)}`)).body.access_token
  next = { sub: 'a', token }
  await ask()
  await refuse()
  next = { sub: 'b', token }
  await ask()
  next = { sub: 'b' }
  expect(await refuse()).toBe('wyu_test_1')
})

test('pages that refuse one token at the same moment get one new one', async () => {
  const { body } = await ask()
  const query = `?refresh=true&refused=${await digestOf(body.access_token)}`
  const both = await Promise.all([ask(query), ask(query)])
  expect(both.map(({ body }) => body.access_token)).toEqual(['wyu_test_2', 'wyu_test_2'])
})

test('a refused token that the test gave once more is replaced once more', async () => {
  const token = 'wyu_dead'
  const refuse = async () => (await ask(`?refresh=true&refused=${await digestOf(token)}`)).body.access_token
  next = { token }
  await ask()
  expect(await refuse()).toBe(token)
  next = {}
  expect(await refuse()).toBe('wyu_test_1')
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

test('who wants another token and names none gets another one each time', async () => {
  await ask()
  const tokens: string[] = []
  for (let n = 0; n < 3; n++) tokens.push((await ask('?refresh=true')).body.access_token)
  expect(tokens).toEqual(['wyu_test_2', 'wyu_test_3', 'wyu_test_4'])
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

test.each<[HandlersAnswer, code: string]>([
  ['signed_out', 'not_signed_in'],
  ['rate_limited', 'rate_limited'],
  ['broker_error', 'weavy_unavailable'],
])('%s is told as our broker tells it: %s', async (answer, code) => {
  next = answer
  const problem = new Problem(code as Problem['code'])
  const { response, body } = await ask()
  expect(body).toEqual(await problemResponse(problem, {}).json())
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const { message } = tokenError(problem)
  const retryAfterMs = response.status === 401 ? undefined : DEFAULT_RETRY_AFTER * 1000
  await expect(create().getToken()).rejects.toMatchObject({ message, retryAfterMs })
})

test.each(['bad_response', 'wrong_token'] as const)('%s is kept by no cache', async (code) => {
  next = code
  expect((await ask()).response.headers.get('cache-control')).toBe('no-store')
})

test('a token without an end is answered without expires_in', async () => {
  next = { expiresIn: null }
  expect((await ask()).body).toEqual({ access_token: 'wyu_test_1' })
})

test('a pending request stays so, whatever the next one is told', async () => {
  const answer = vi.fn<() => HandlersAnswer>(() => ({})).mockReturnValueOnce('pending')
  server.resetHandlers(...tokenHandlers({ http, HttpResponse, tokenUrl, answer }))
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const first = vi.fn()
  fetch(tokenUrl, { signal: abort.signal }).then(first, () => {})
  await vi.waitFor(() => expect(answer).toHaveBeenCalledOnce())
  await ask()
  await ask()
  expect(first).not.toHaveBeenCalled()
})

test('a pending request ends when its caller gives up', async () => {
  next = 'pending'
  const abort = new AbortController()
  const token = create().getToken({ signal: abort.signal })
  await vi.waitFor(() => expect(urls).toHaveLength(1))
  abort.abort(new Error('enough'))
  await expect(token).rejects.toThrow('enough')
})
