import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { eventually, prepareDemo } from './demo.js'

let weavy: StandInWeavy
beforeAll(async () => {
  weavy = await createStandInWeavy()
})
afterAll(() => weavy.close())

const { open } = prepareDemo(async () => ({ weavyUrl: weavy.url, apiKey: weavy.apiKey }))

test('an environment that is not the demo’s own works, and what cannot be done to it is disabled with a reason', async () => {
  const { page, pick, ask, seen, status } = await open()
  for (const name of ['Revoke all tokens', 'Drop the hub', 'Forbid notifications (403)']) {
    const button = page.getByRole('button', { name })
    await eventually(async () => expect(await button.isDisabled()).toBe(true))
    const reason = page.locator(`#${await button.getAttribute('aria-describedby')}`)
    await expect(reason.textContent()).resolves.toMatch(/real environment.*WEAVY_URL/)
  }
  await pick('5 s')
  await eventually(async () => expect(await seen('tokens')).toBeGreaterThan(2))
  expect(await status()).toBe('ready')
  expect((await ask()).weavy).toBeNull()
  expect(weavy.requests.filter(({ status }) => status === 401)).toEqual([])
  await expect(page.locator('[data-count="vanilla refused server"]').textContent()).resolves.toBe('–')
})
