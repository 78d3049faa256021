import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ANY, type Ask, NEWER } from '../../src/broker/decide.js'
import { digest } from '../../src/broker/digest.js'
import type { TokenRecord } from '../../src/broker/record.js'
import type { Reading, TokenRecords } from '../../src/broker/token-records.js'
import {
  createUserTokens,
  FLIGHT_TIMEOUT_MS,
  type Flight,
  LEASE_POLL_MS,
} from '../../src/broker/user-tokens.js'
import { createDeferred } from '../deferred.js'
import { settle } from '../settle.js'

beforeEach(() => {
  vi.useFakeTimers()
  // A clock that stands at 0 hides a wrong sum.
  vi.advanceTimersByTime(1000)
})
afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

const ENVIRONMENT = { weavyUrl: 'https://acme.weavy.test', apiKey: 'wys_1' }
const LIFETIME_MS = 3_600_000

const recordOf = (token: string, changes: Partial<TokenRecord> = {}): TokenRecord => ({
  owner: 'owner',
  key: 'key',
  generation: null,
  version: 1,
  token,
  issuedAt: Date.now(),
  lifetimeMs: LIFETIME_MS,
  replacedAt: null,
  refused: [],
  paidUntil: 0,
  ...changes,
})

/** The tokens of one user, over records that a test writes, and a Weavy that gives `wyu_1`, `wyu_2` and so on. */
function createStage(options: { isSync?: boolean; lease?: TokenRecords['lease'] } = {}) {
  const stored: { record?: TokenRecord } = {}
  const reading = (): Reading => ({ record: stored.record, generation: null, seen: stored.record?.token })
  const records = {
    read: vi.fn((_owner: string, _key: string) => (options.isSync ? reading() : Promise.resolve(reading()))),
    write: vi.fn(async (record: TokenRecord): Promise<void> => {
      stored.record = record
    }),
    forget: vi.fn(async () => true),
    ...(options.lease && { lease: options.lease }),
  }
  let issued = 0
  const issueToken = vi.fn(async () => ({ token: `wyu_${++issued}`, lifetimeMs: LIFETIME_MS }))
  const flights = new Map<string, Flight>()
  const weavy = { issueToken, upsertUser: async () => {}, takesProfiles: () => true }
  const tokens = createUserTokens(weavy, records, flights)
  return {
    tokens,
    stored,
    records,
    issueToken,
    flights,
    get: (ask: Ask = ANY) => tokens.get(ENVIRONMENT, 'u256', {}, ask),
    forget: () => tokens.forget(ENVIRONMENT, 'u256'),
    /** The next call to Weavy is answered when the test says so. */
    holdWeavy() {
      const answer = createDeferred<{ token: string; lifetimeMs: number }>()
      issueToken.mockReturnValueOnce(answer.promise)
      return { answer: (token: string) => answer.resolve({ token, lifetimeMs: LIFETIME_MS }) }
    },
  }
}

test('what a store in this process has is the answer at once', () => {
  const { stored, get, issueToken } = createStage({ isSync: true })
  stored.record = recordOf('wyu_0')
  expect(get()).toEqual({ record: stored.record, how: 'reused', called: false })
  expect(issueToken).not.toHaveBeenCalled()
})

test('each user has tokens of his own, also with more users than digests are kept of', () => {
  const { tokens, stored, records } = createStage({ isSync: true })
  stored.record = recordOf('wyu_0')
  const expectOwn = (n: number) => {
    expect(tokens.get(ENVIRONMENT, `u${n}`, {}, ANY)).toMatchObject({ how: 'reused' })
    const owner = `${digest('https://acme.weavy.test')}:${digest(`u${n}`)}`
    expect(records.read).toHaveBeenLastCalledWith(owner, digest('wys_1'))
  }
  expectOwn(0)
  for (let n = 1; n < 10_500; n += 1)
    expect(tokens.get(ENVIRONMENT, `u${n}`, {}, ANY)).toMatchObject({ how: 'reused' })
  expect(new Set(records.read.mock.calls.map(([owner]) => owner)).size).toBe(10_500)
  // Not each of them, because a digest that is watched for mutants takes long.
  for (const n of [0, 1, 499, 10_499]) expectOwn(n)
})

test('a token that Weavy gives again is not among those that were refused', async () => {
  const { get } = createStage()
  const { record } = await get({ wants: 'healed', refused: digest('wyu_1') })
  expect(record).toMatchObject({ token: 'wyu_1', refused: [] })
})

test('a failure of the records is no token that came too late', async () => {
  const { get, records } = createStage()
  records.write.mockRejectedValueOnce(new RangeError('a bug'))
  await expect(get()).rejects.toThrow('a bug')
})

test('what who joined has been refused is replaced by what comes', async () => {
  const { get, holdWeavy } = createStage()
  const weavy = holdWeavy()
  const first = get()
  await settle()
  const joined = get({ wants: 'healed', refused: digest('wyu_0') })
  await settle()
  weavy.answer('wyu_1')
  expect((await first).record.refused).toEqual([digest('wyu_0')])
  expect(await joined).toMatchObject({ record: { token: 'wyu_1' }, how: 'issued', called: false })
})

test('a token that has come may have been refused before it was written: who joins then does not take it unseen', async () => {
  const { get, records, stored, issueToken } = createStage()
  const written = createDeferred<void>()
  records.write.mockImplementationOnce(async (record) => {
    await written.promise
    stored.record = record
  })
  const first = get()
  await settle()
  const any = get()
  const healed = get({ wants: 'healed', refused: digest('wyu_1') })
  await settle()
  written.resolve()
  expect(await first).toMatchObject({ record: { token: 'wyu_1' }, called: true })
  expect(await any).toMatchObject({ record: { token: 'wyu_1' }, how: 'reused' })
  expect(await healed).toMatchObject({ record: { token: 'wyu_2' }, how: 'replaced' })
  expect(issueToken).toHaveBeenCalledTimes(2)
})

test('no token in time is said so, and the next request starts afresh', async () => {
  const { get, holdWeavy } = createStage()
  holdWeavy()
  const reply = Promise.resolve(get())
  const failure = expect(reply).rejects.toMatchObject({
    code: 'weavy_timeout',
    message: `No token within ${FLIGHT_TIMEOUT_MS} ms.`,
  })
  await vi.advanceTimersByTimeAsync(FLIGHT_TIMEOUT_MS)
  await failure
  expect(await get()).toMatchObject({ record: { token: 'wyu_1' }, called: true })
})

test('a flight that should be over by now is nobody’s', async () => {
  const { get, flights, holdWeavy } = createStage()
  holdWeavy()
  void Promise.resolve(get()).catch(() => {})
  await settle()
  const [[owner, flight]] = [...flights] as [[string, Flight]]
  flights.set(owner, {
    ...flight,
    startedAt: performance.now() - FLIGHT_TIMEOUT_MS,
    landing: new Promise(() => {}),
  })
  expect(await get()).toMatchObject({ record: { token: 'wyu_1' }, called: true })
})

test.each([
  ['lands', async (weavy: { answer(token: string): void }) => weavy.answer('wyu_old')],
  ['is given up', () => vi.advanceTimersByTimeAsync(FLIGHT_TIMEOUT_MS / 2)],
])('a forgotten flight that %s takes nothing from the one that followed', async (_, end) => {
  const { get, forget, holdWeavy, issueToken } = createStage()
  const [old, next] = [holdWeavy(), holdWeavy()]
  const first = Promise.resolve(get()).catch(() => {})
  await settle()
  await vi.advanceTimersByTimeAsync(FLIGHT_TIMEOUT_MS / 2)
  await forget()
  const second = get()
  await settle()
  await end(old)
  await first
  const third = get()
  await settle()
  next.answer('wyu_next')
  expect(await second).toMatchObject({ record: { token: 'wyu_next' }, called: true })
  expect(await third).toMatchObject({ record: { token: 'wyu_next' }, called: false })
  expect(issueToken).toHaveBeenCalledTimes(2)
})

test('who gets the lease when another has written takes what is there', async () => {
  const stage = createStage({
    lease: async () => {
      stage.stored.record = recordOf('wyu_other')
      return { release: async () => {} }
    },
  })
  expect(await stage.get()).toEqual({ record: stage.stored.record, how: 'reused', called: false })
  expect(stage.records.read).toHaveBeenCalledTimes(2)
  expect(stage.issueToken).not.toHaveBeenCalled()
})

test('who gets the lease when others have used up the allowance is told to wait', async () => {
  const stage = createStage({
    lease: async () => {
      stage.stored.record = recordOf('wyu_other', {
        replacedAt: Date.now() - 60_000,
        paidUntil: Date.now() + LIFETIME_MS,
      })
      return { release: async () => {} }
    },
  })
  await expect(stage.get(NEWER)).rejects.toMatchObject({ code: 'replaced_too_often' })
  expect(stage.issueToken).not.toHaveBeenCalled()
})

test('who waits for a lease when the user is forgotten waits no longer', async () => {
  const { get, forget } = createStage({ lease: async () => ({}) })
  const failure = expect(Promise.resolve(get())).rejects.toMatchObject({ code: 'weavy_timeout' })
  await settle()
  await forget()
  await vi.advanceTimersByTimeAsync(LEASE_POLL_MS)
  await failure
})
