import { expect, test } from 'vitest'
import { eventually, prepareDemo } from './demo.js'

const { open } = prepareDemo()

// One of each unit.
test.each([
  ['5 s', 5],
  ['5 min', 300],
  ['1 h', 3600],
])(
  'a lifetime of %s counts from the next token on, which the page gets within seconds',
  async (label, seconds) => {
    const { pick, page, ask, expectAgreement } = await open()
    await pick(label)
    await eventually(async () => expect((await ask()).weavy?.tokens).toBe(2))
    await expectAgreement('tokens', 'broker')
    const left = (await page.locator('.left').textContent()) ?? ''
    const [, minutes = '0', rest] = /^(?:(\d+) min )?([\d.]+) s$/.exec(left) ?? []
    const leftSeconds = Number(minutes) * 60 + Number(rest)
    expect(leftSeconds).toBeLessThanOrEqual(seconds)
    expect(leftSeconds).toBeGreaterThan(seconds * 0.9 - 3)
  },
)

test('a revocation costs one refresh, however many requests are in the air', async () => {
  const { press, ask, seen, events, expectAgreement } = await open()
  await press('Revoke all tokens')
  await press(/^Burst/)
  await eventually(async () => expect((await ask()).broker.refreshes).toBe(1))
  await eventually(async () => expect(await seen('requests')).toBeGreaterThan(50))
  await expectAgreement('tokens', 'broker', 'refreshes', 'requests', 'refused')
  expect((await ask()).weavy?.refused).toBeGreaterThan(0)
  expect(await seen('refreshes')).toBe(1)
  expect(await seen('failed')).toBe(0)
  expect(await events()).toMatch(/Weavy refuses token 1/)
})

test('a burst asks Weavy 50 times and the broker never', async () => {
  const { press, pick, ask, seen, marks, expectAgreement } = await open()
  await pick('1 h')
  await eventually(async () => expect((await ask()).broker.requests).toBe(2))
  const before = (await ask()).weavy?.requests ?? 0
  await press(/^Burst/)
  await eventually(async () => expect((await ask()).weavy?.requests).toBeGreaterThanOrEqual(before + 50))
  await expectAgreement('requests', 'broker', 'refused')
  expect(await seen('broker')).toBe(2)
  expect(await seen('refused')).toBe(0)
  // Most of the burst falls into one second.
  expect(
    Math.max(...[...(await marks()).matchAll(/^(\d+) fine/gm)].map(([, n]) => Number(n))),
  ).toBeGreaterThan(20)
})

test('a forbidden resource costs a bounded number of refreshes', async () => {
  const { press, pick, ask, seen, marks, expectAgreement } = await open()
  await pick('1 h')
  await press(/^Forbid/)
  await eventually(async () => expect((await ask()).weavy?.forbidden).toBeGreaterThanOrEqual(5))
  await expectAgreement('forbidden', 'refreshes', 'broker')
  expect(await seen('refreshes')).toBeLessThanOrEqual(4)
  expect(await marks()).toMatch(/[1-9]\d* forbidden \(403\)/)
  await press(/^Forbid/)
  await eventually(async () => {
    const { weavy } = await ask()
    const asked = weavy?.requests ?? 0
    await eventually(async () => expect((await ask()).weavy?.requests).toBeGreaterThan(asked))
    expect((await ask()).weavy?.forbidden).toBe(weavy?.forbidden)
  })
})

test('a hub that is dropped comes back without a refused request', async () => {
  const { press, ask, seen, counted, events } = await open()
  await eventually(async () => expect((await ask()).weavy?.hubs).toBe(1))
  const before = (await ask()).weavy?.hubsOpened ?? 0
  await press('Drop the hub')
  await eventually(async () => {
    const { weavy } = await ask()
    expect(weavy).toMatchObject({ hubs: 1, refused: 0 })
    expect(weavy?.hubsOpened).toBeGreaterThan(before)
    expect([await counted('hubs'), await counted('hubs-opened')]).toEqual([1, weavy?.hubsOpened])
  })
  expect(await seen('refused')).toBe(0)
  expect(await events()).toMatch(/hub dropped/)
})

test('offline, nothing leaves the page; online again, a token that ran out is replaced at once', async () => {
  const { press, pick, page, ask, seen, status, events, expectAgreement } = await open()
  await pick('5 s')
  await eventually(async () => expect((await ask()).broker.requests).toBeGreaterThan(2))
  await press('Go offline')
  await eventually(async () => expect(await status()).toBe('failed'))
  const { broker, weavy } = await ask()
  await page.waitForTimeout(3000)
  expect(await ask()).toMatchObject({ broker, weavy: { requests: weavy?.requests } })
  // Now: the list holds the last events only, and tokens of seconds make many.
  expect(await events()).toMatch(/offline/)
  await press('Go offline')
  await eventually(async () => expect(await status()).toBe('ready'))
  await expectAgreement('tokens', 'broker', 'requests', 'refused')
  expect(await seen('refused')).toBe(0)
})

test('a page that did not run says so, and its first request finds a living token', async () => {
  const { page, pick, ask, seen, events, expectAgreement } = await open()
  await pick('5 s')
  await eventually(async () => expect((await ask()).broker.requests).toBeGreaterThan(1))
  await page.evaluate(() => {
    const end = performance.now() + 7000
    while (performance.now() < end);
  })
  await eventually(async () => expect(await events()).toMatch(/asleep/))
  const asked = (await ask()).weavy?.requests ?? 0
  await eventually(async () => expect((await ask()).weavy?.requests).toBeGreaterThan(asked + 1))
  await expectAgreement('refused', 'requests')
  expect(await seen('refused')).toBe(0)
})
