import { expect, test } from 'vitest'
import { TimeoutError, within } from '../../src/broker/within.js'

const settlesAfter = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'answer'))

/** Once the timers of what was called before are set. */
async function compute(ms: number) {
  for (let n = 0; n < 5; n++) await undefined
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('work that does not settle in time is given up', async () => {
  const work = within(20, settlesAfter(5000))
  await expect(work).rejects.toBeInstanceOf(TimeoutError)
  await expect(work).rejects.toMatchObject({ name: 'TimeoutError', message: 'Not settled within 20 ms' })
})

test('a process that computes meanwhile gives work that could not go on a moment more', async () => {
  const question = new Promise((resolve) => setTimeout(() => setImmediate(resolve, settlesAfter(30)), 10))
  const answer = within(100, question)
  await compute(300)
  expect(await answer).toBe('answer')
})

test('and no more than a moment', async () => {
  const begun = performance.now()
  const answer = within(20, settlesAfter(60_000))
  await compute(300)
  await expect(answer).rejects.toBeInstanceOf(TimeoutError)
  expect(performance.now() - begun).toBeLessThan(5000)
})
