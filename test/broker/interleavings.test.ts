import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TokenStore } from '../../src/broker/index.js'
import { runs } from '../effort.js'
import { askForNewToken, askForToken, createTestBroker, generationKey } from './ask.js'

type Step = 'plain' | 'refresh' | 'forget'

/**
 * Runs requests against a broker whose store and Weavy answer in an order that fast-check chooses, and notes when what
 * happened.
 */
async function run(scheduler: fc.Scheduler, steps: Step[]) {
  let clock = 0
  let inTheAir = 0
  let mostInTheAir = 0
  let posts = 0
  const postedAt = new Map<unknown, number>()
  let forgottenAt = 0
  const handedOutAt = new Map<unknown, number>()
  const replacements = new Set<unknown>()
  const stored = new Map<string, unknown>()

  const store: TokenStore = {
    get: (key) => scheduler.schedule(Promise.resolve(stored.get(key)), 'get'),
    set: (key, value) => scheduler.schedule(Promise.resolve(), 'set').then(() => stored.set(key, value)),
    delete: (key) => Promise.resolve(stored.delete(key)),
  }
  async function fetch(_: unknown, init?: RequestInit) {
    posts += 1
    const token = `wyu_${posts}`
    clock += 1
    postedAt.set(token, clock)
    if (JSON.parse(String(init?.body)).isRefresh) replacements.add(token)
    inTheAir += 1
    mostInTheAir = Math.max(mostInTheAir, inTheAir)
    await scheduler.schedule(Promise.resolve(), 'post')
    inTheAir -= 1
    return Response.json({ access_token: token, expires_in: 3600 })
  }

  // The profile tells Weavy, and so this test, which kind of request a call was made for.
  const user = ({ url }: Request) => ({ uid: 'u256', isRefresh: url.includes('refresh=true') })
  const { broker } = createTestBroker({ store, fetch, user, profileFields: ['isRefresh'] })
  const results: { step: Step; askedAt: number; token: unknown }[] = []
  const script = scheduler.scheduleSequence(
    steps.map((step) => async () => {
      clock += 1
      const askedAt = clock
      if (step === 'forget') {
        forgottenAt = clock
        return void running.push(broker.forget('u256').then(() => {}))
      }
      const reply = step === 'plain' ? askForToken(broker) : askForNewToken(broker)
      running.push(
        reply.then((token) => {
          clock += 1
          if (!handedOutAt.has(token)) handedOutAt.set(token, clock)
          results.push({ step, askedAt, token })
        }),
      )
    }),
  )
  const running: Promise<void>[] = [script.task.then(() => {})]
  await scheduler.waitFor(script.task)
  await scheduler.waitFor(Promise.all(running))
  return {
    results,
    handedOutAt,
    replacements,
    mostInTheAir,
    posts,
    stored,
    postedAt,
    broker,
    forgottenAt: () => forgottenAt,
  }
}

test('whatever the order: a refresh brings a token that nobody had before its request, or a replacement', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom<Step>('plain', 'refresh', 'forget'), { minLength: 1, maxLength: 8 }),
      async (scheduler, steps) => {
        const { results, handedOutAt, replacements, mostInTheAir, posts } = await run(scheduler, steps)
        const forgets = steps.filter((step) => step === 'forget').length
        const refreshes = steps.filter((step) => step === 'refresh').length

        expect(results).toHaveLength(steps.length - forgets)
        for (const { step, askedAt, token } of results) {
          // Nobody had it when this one asked.
          const isNewer = (handedOutAt.get(token) ?? 0) > askedAt
          if (step === 'refresh') expect(isNewer || replacements.has(token)).toBe(true)
        }
        // One call at a time, but for those that were forgotten while in the air.
        expect(mostInTheAir).toBeLessThanOrEqual(1 + forgets)
        // One issue, and within the 5 s of this test one replacement, each again after a forget. What was being written
        // at a forget can land on a newer record, which costs that one.
        expect(posts).toBeLessThanOrEqual((refreshes > 0 ? 2 : 1) * (1 + forgets) + forgets)
      },
    ),
    runs(400),
  )
})

test('whatever the order: after the last forget nothing that is stored counts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom<Step>('plain', 'refresh'), { minLength: 1, maxLength: 6 }),
      async (scheduler, steps) => {
        const { stored, postedAt, forgottenAt, broker } = await run(scheduler, [...steps, 'forget'])
        expect(stored.get(generationKey())).toEqual(expect.any(String))
        const next = askForToken(broker)
        await scheduler.waitFor(next)
        expect(postedAt.get(await next)).toBeGreaterThan(forgottenAt())
      },
    ),
    runs(300),
  )
})
