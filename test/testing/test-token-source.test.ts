import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TokenError, type TokenState } from 'weavy-token'
import { type Answer, createTestTokenSource, type TestTokenSource } from 'weavy-token/testing'
import { settle } from '../settle.js'

let source: TestTokenSource | undefined
const create = (...args: Parameters<typeof createTestTokenSource>) => {
  source = createTestTokenSource(...args)
  return source
}
afterEach(() => source?.close())

const statusOf = ({ getState }: TestTokenSource) => getState().status

describe('every state has one route', () => {
  test('empty, before anything is asked', () => {
    expect(statusOf(create())).toBe('empty')
  })

  test('fetching, while the answer is pending, and ready when it comes', async () => {
    const { refresh, answer, getState, getToken } = create('pending')
    await refresh()
    expect(getState()).toEqual({ status: 'fetching' })
    answer({ token: 'wyu_test_late' })
    expect(await getToken()).toBe('wyu_test_late')
    expect(getState().status).toBe('ready')
  })

  test('ready, with a token that lives for an hour', async () => {
    const before = Date.now()
    const { refresh, getState } = create()
    await refresh()
    const state = getState() as TokenState & { status: 'ready' }
    expect(state).toMatchObject({ status: 'ready', token: 'wyu_test_1' })
    expect(state.expiresAt).toBeGreaterThanOrEqual(before + 3600_000)
    expect(state.expiresAt).toBeLessThanOrEqual(Date.now() + 3600_000)
  })

  test('ready, with a life that the broker does not tell', async () => {
    const { refresh, getState } = create({ expiresIn: null })
    await refresh()
    expect(getState()).toEqual({ status: 'ready', token: 'wyu_test_1', expiresAt: null })
  })

  test.each<[Answer, expiresIn: number | null]>([
    ['broker_error', 3600],
    ['signed_out', 3600],
    ['offline', null],
  ])('stale, when a refresh fails with %s', async (failure, expiresIn) => {
    const { refresh, answer, getState } = create({ expiresIn })
    await refresh()
    answer(failure)
    await refresh()
    expect(getState()).toMatchObject({ status: 'stale', token: 'wyu_test_1', error: { code: failure } })
  })

  test('stale, while the next refresh is pending, and ready after it', async () => {
    const { refresh, answer, getState } = create()
    await refresh()
    answer('unreachable')
    await refresh()
    answer('pending')
    await refresh()
    expect(getState().status).toBe('stale')
    answer({})
    await vi.waitFor(() => expect(getState()).toMatchObject({ status: 'ready', token: 'wyu_test_2' }))
  })

  test.each<Answer>([
    'broker_error',
    'unreachable',
    'timeout',
    'bad_response',
    'wrong_token',
    'rate_limited',
  ])('failed, with %s', async (failure) => {
    const { refresh, getState } = create(failure)
    await refresh()
    expect(getState()).toMatchObject({ status: 'failed', error: { code: failure } })
  })

  test.each<Answer>(['signed_out', 'other_user'])('signed-out, with %s', async (failure) => {
    const { refresh, getState } = create(failure)
    await refresh()
    expect(getState()).toMatchObject({ status: 'signed-out', error: { code: failure } })
  })

  test('signed-out, with nobody signed in, and no request', async () => {
    const test = create({}, { user: null })
    await test.refresh()
    expect(statusOf(test)).toBe('signed-out')
    expect(test.requests).toEqual([])
  })

  test('and back to ready at once, from each failure, however often', async () => {
    const { refresh, answer, getState } = create()
    for (let n = 0; n < 50; n++) {
      answer(n % 2 ? 'signed_out' : 'broker_error')
      await refresh()
      answer({})
      await refresh()
      expect(getState().status).toBe('ready')
    }
  })
})

test('a caller without a token gets the outcome of one request', async () => {
  const { getToken, requests } = create('unreachable')
  await expect(getToken()).rejects.toMatchObject({ name: 'TokenError', code: 'unreachable' })
  expect(requests).toHaveLength(1)
})

test('a failure is a TokenError of weavy-token, with the status of our broker, or the one that was given', async () => {
  const { refresh, answer, getToken } = create('signed_out')
  const error = await getToken().catch((error: unknown) => error)
  expect(error).toBeInstanceOf(TokenError)
  expect(error).toMatchObject({ status: 401, message: 'The test answers signed_out.' })
  const mine = new TokenError('broker_error', 'Too much to do.', { status: 507 })
  answer(mine)
  await refresh()
  await expect(getToken()).rejects.toBe(mine)
})

test('a refused token is replaced by another one, which is said of the request', async () => {
  const { getToken, requests } = create()
  const first = await getToken()
  const second = await getToken({ rejected: first })
  expect([first, second]).toEqual(['wyu_test_1', 'wyu_test_2'])
  expect(requests).toEqual([
    { refresh: false, rejected: false },
    { refresh: true, rejected: true },
  ])
})

test('another user who gets the sub of the first one is told apart', async () => {
  const { setUser, getToken } = create({ sub: 'a' }, { user: 1 })
  await getToken()
  setUser(2)
  await expect(getToken()).rejects.toMatchObject({ code: 'other_user' })
})

test('refresh() asks once, and joins a request that is in the air', async () => {
  const { refresh, getToken, answer, requests } = create('pending')
  const token = getToken()
  await refresh()
  await refresh()
  expect(requests).toHaveLength(1)
  answer({})
  expect(await token).toBe('wyu_test_1')
})

test('refresh() tells listeners before it resolves, and settles after close()', async () => {
  const { refresh, subscribe, close } = create()
  const told: string[] = []
  subscribe(({ status }) => told.push(status))
  await refresh()
  expect(told).toEqual(['fetching', 'ready'])
  close()
  await refresh()
  expect(told.at(-1)).toBe('empty')
})

test('a request that was pending when its source was cleared takes no token of those that follow', async () => {
  const { refresh, clear, answer, getToken, getState } = create('pending')
  await refresh()
  clear()
  expect(getState().status).toBe('empty')
  answer({})
  // Whatever the request still does.
  await settle()
  expect(await getToken()).toBe('wyu_test_1')
})

test('events tell of the requests', async () => {
  const onRequest = vi.fn()
  const { refresh, answer } = create({}, { onRequest })
  await refresh()
  answer('broker_error')
  await refresh()
  expect(onRequest.mock.calls.map(([{ reason, error }]) => [reason, error])).toEqual([
    ['first', undefined],
    ['ahead', 'broker_error'],
  ])
})

describe('nothing of one test reaches the next', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test.each<Answer>([{}, 'broker_error', 'pending'])(
    'no timer is left after close() with %o',
    async (first) => {
      const { refresh, close } = create(first)
      await refresh()
      close()
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  test.each([0, 15_000])('fake timers hold nothing up, with a maxWaitMs of %i', async (maxWaitMs) => {
    const { refresh, answer, getToken, getState } = create('broker_error', { maxWaitMs })
    await refresh()
    expect(getState().status).toBe('failed')
    answer({})
    await refresh()
    expect(await getToken()).toBe('wyu_test_1')
  })

  test('refresh() resolves when its request has failed, although callers wait on', async () => {
    const onRequest = vi.fn()
    const { refresh, answer, getToken } = create('unreachable', { maxWaitMs: 15_000, onRequest })
    const token = getToken()
    await refresh()
    expect(onRequest).toHaveBeenCalledOnce()
    answer({})
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await token).toBe('wyu_test_1')
  })

  test('refresh() ends after the second request, when the first one brought a token without life', async () => {
    const { refresh, getState, requests } = create({ expiresIn: 0 }, { maxWaitMs: 15_000 })
    await refresh()
    expect(requests).toHaveLength(2)
    expect(getState()).toMatchObject({ status: 'failed', error: { code: 'bad_response' } })
  })
})

test('an onRequest that is no function is a TypeError, as of any source', () => {
  expect(() => create({}, { onRequest: 'log' as never })).toThrow('onRequest must be a function')
})

test('a `using` block closes it', async () => {
  const test = create()
  test[Symbol.dispose]()
  await expect(test.getToken()).rejects.toMatchObject({ code: 'closed' })
})
