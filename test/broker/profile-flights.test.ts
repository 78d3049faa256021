import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Problem } from '../../src/broker/problem.js'
import { createProfileSync, PROFILE_SYNC_TIMEOUT_MS } from '../../src/broker/profile-sync.js'
import { createMemoryStore, type GuardedStore, guardStore } from '../../src/broker/store.js'
import type { Environment } from '../../src/broker/weavy-api.js'
import { createBudget } from '../../src/broker/within.js'
import { createDeferred } from '../deferred.js'
import { settle } from '../settle.js'
import { hearDigests } from './digested.js'

const digested = hearDigests()

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const ENVIRONMENT: Environment = { weavyUrl: 'https://acme.weavy.test', apiKey: 'wys_key' }

/** Updates of profiles, whose calls to Weavy a test answers one by one. */
function createStage(store?: GuardedStore) {
  const lines: string[] = []
  const calls: { name: unknown; answer: ReturnType<typeof createDeferred<void>> }[] = []
  const weavy = {
    issueToken: () => Promise.reject(new Error('not asked for here')),
    takesProfiles: () => true,
    upsertUser: (_: Environment, _uid: string, { name }: { name?: unknown }) => {
      const answer = createDeferred<void>()
      calls.push({ name, answer })
      return answer.promise
    },
  }
  const sync = createProfileSync(
    weavy,
    store,
    createMemoryStore(10),
    ({ weavyUrl }, uid) => `${weavyUrl}/${uid}`,
    (line) => lines.push(line),
  )
  const update = (name: string, environment = ENVIRONMENT) =>
    sync(environment, 'u256', { name }, createBudget(60_000))
  const untilCalls = async (count: number) => {
    while (calls.length < count) await settle()
  }
  return { calls, lines, update, untilCalls }
}

describe('updates of one user that meet', () => {
  test('with one profile are one call, also if it fails', async () => {
    const { calls, lines, update, untilCalls } = createStage()
    const both = [update('Ada'), update('Ada')]
    await untilCalls(1)
    await digested()
    calls[0]?.answer.reject(new Problem('request_refused', 'Not taken.'))
    await Promise.all(both)
    const failing = [update('Countess'), update('Countess')]
    await untilCalls(2)
    await digested()
    calls[1]?.answer.reject(new Problem('weavy_unavailable', 'Down.'))
    await Promise.all(failing)
    expect(calls.map(({ name }) => name)).toEqual(['Ada', 'Countess'])
    expect(lines).toEqual(['Not taken.', 'Down.'])
  })

  test('with two profiles are two calls, and the later one waits for the end of the earlier', async () => {
    const { calls, update, untilCalls } = createStage()
    const first = update('Ada')
    await untilCalls(1)
    const second = update('Countess')
    await digested()
    expect(calls).toHaveLength(1)
    calls[0]?.answer.resolve()
    await first
    await untilCalls(2)
    calls[1]?.answer.resolve()
    await second
    expect(calls.map(({ name }) => name)).toEqual(['Ada', 'Countess'])
  })

  test('after one was given up: what that does later makes no other begin anew, and is no failure of another', async () => {
    const { calls, lines, update, untilCalls } = createStage()
    const first = update('Ada')
    await untilCalls(1)
    await vi.advanceTimersByTimeAsync(PROFILE_SYNC_TIMEOUT_MS / 2)
    const waiting = update('Ada')
    await digested()
    await vi.advanceTimersByTimeAsync(PROFILE_SYNC_TIMEOUT_MS / 2)
    await first
    calls[0]?.answer.reject(new Problem('weavy_unavailable'))
    await waiting
    expect(lines).toEqual(['Updating a profile took too long: the token was sent without waiting.'])

    const slow = update('Ada')
    await untilCalls(2)
    await vi.advanceTimersByTimeAsync(PROFILE_SYNC_TIMEOUT_MS)
    await slow
    const next = update('Ada')
    await untilCalls(3)
    calls[1]?.answer.reject(new Problem('weavy_unavailable'))
    await settle()
    const joining = update('Ada')
    await digested()
    expect(calls).toHaveLength(3)
    calls[2]?.answer.resolve()
    await Promise.all([next, joining])
  })
})

test('updates of one uid in two environments do not wait for each other, and with one profile are two calls', async () => {
  const { calls, lines, update, untilCalls } = createStage()
  const both = [update('Ada'), update('Ada', { ...ENVIRONMENT, weavyUrl: 'https://other.weavy.test' })]
  await untilCalls(1)
  await digested()
  expect(calls.map(({ name }) => name)).toEqual(['Ada', 'Ada'])
  for (const { answer } of calls) answer.resolve()
  await Promise.all(both)
  expect(lines).toEqual([])
})

test('an error of our own costs no token, and is a line', async () => {
  const { calls, lines, update, untilCalls } = createStage()
  const reply = update('Ada')
  await untilCalls(1)
  calls[0]?.answer.reject(new TypeError('ours'))
  await reply
  expect(lines).toEqual([expect.stringMatching(/^Updating a profile failed\./)])
})

test.each<[string, (kept: string, digest: string) => unknown, number]>([
  ['is kept', (_, digest) => digest, 0],
  ['was replaced by what another process wrote meanwhile', () => 'another digest', 0],
  ['was not written', (kept) => kept, 1],
  ['is gone', () => undefined, 1],
  ['is gone, as a store without a word for it says', () => null, 1],
])('a profile that %s in the store: failures in the log: %3$i', async (_, found, failures) => {
  const lines: string[] = []
  let kept = ''
  let written = ''
  const store = guardStore(
    {
      get: () => (written ? found(kept, written) : kept || undefined),
      set: (_key, value) => {
        written = String(value)
      },
      delete: () => {},
    },
    (line) => lines.push(line),
  )
  const { calls, update, untilCalls } = createStage(store)
  kept = 'the digest of before'
  const updated = update('Ada')
  await untilCalls(1)
  calls[0]?.answer.resolve()
  await updated
  expect(written).not.toBe('')
  expect(lines).toHaveLength(failures)
})
