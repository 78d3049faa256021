import { expect, test } from 'vitest'
import { eventually, prepareDemo } from './demo.js'

const { open } = prepareDemo()

test('a slow broker holds up no request while the old token lasts', async () => {
  const { pick, seen, events, status, expectAgreement } = await open()
  await pick('slow (3 s)')
  await eventually(
    async () => expect(await events()).toMatch(/for a newer token: 200 after 3\d{3} ms/),
    40_000,
  )
  await expectAgreement('broker', 'refreshes', 'tokens')
  expect(await seen('broker')).toBe(2)
  expect(await seen('longest')).toBeLessThan(2500)
  expect(await status()).toBe('ready')
}, 100_000)

test('a broker that is down fails no call while the token lasts, is asked seldom, and is found again', async () => {
  const { pick, page, ask, seen, events, status, expectAgreement } = await open()
  await pick('10 s')
  await eventually(async () => expect((await ask()).broker.requests).toBe(2))
  await pick('down')
  await eventually(async () => expect(await status()).toBe('stale'))
  await expect(page.locator('.state').textContent()).resolves.toMatch(/the token is still good/)
  await pick('fine')
  await eventually(async () => expect(await status()).toBe('ready'))
  await expectAgreement('broker', 'broker-failed', 'tokens', 'refused')
  expect(await seen('broker-failed')).toBeGreaterThan(0)
  expect(await seen('broker-failed')).toBeLessThanOrEqual(5)
  expect(await seen('failed')).toBe(0)
  expect(await events()).toMatch(/for a newer token: 503/)
})

test('garbage is named, and a good answer heals it', async () => {
  const { pick, page, ask, seen, status, expectAgreement } = await open()
  await pick('5 s')
  await eventually(async () => expect((await ask()).broker.requests).toBe(2))
  await pick('garbage')
  await eventually(async () => expect(await status()).toBe('failed'))
  await expect(page.locator('.state').textContent()).resolves.toMatch(/JSON/)
  const tokens = await seen('tokens')
  await pick('fine')
  await eventually(async () => expect(await status()).toBe('ready'))
  await expectAgreement('broker', 'tokens', 'refused')
  expect(await seen('tokens')).toBe(tokens + 1)
})

test('the same token again, although it is dead, is asked for a few times and never in a loop', async () => {
  const { pick, press, page, ask, seen, status, expectAgreement } = await open()
  await pick('1 h')
  await eventually(async () => expect((await ask()).broker.requests).toBe(2))
  await pick('same token')
  await press('Revoke all tokens')
  await eventually(async () => expect(await status()).toBe('failed'))
  await expect(page.locator('.state').textContent()).resolves.toMatch(/Weavy refuses the tokens/)
  await page.waitForTimeout(3000)
  await expectAgreement('broker', 'refreshes', 'refused')
  expect(await seen('broker')).toBeLessThanOrEqual(8)
})

test('a session that ended is told once, and costs one request', async () => {
  const { pick, ask, seen, status, page, expectAgreement } = await open()
  await pick('5 s')
  await eventually(async () => expect((await ask()).broker.requests).toBe(2))
  await pick('signed out')
  await eventually(async () => expect(await status()).toBe('signed-out'))
  await page.waitForTimeout(4000)
  await expectAgreement('broker', 'broker-failed', 'requests')
  expect(await seen('broker-failed')).toBe(1)
  expect(await seen('refused')).toBe(0)
})
