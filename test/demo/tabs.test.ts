import { expect, test } from 'vitest'
import { eventually, message, prepareDemo } from './demo.js'

const { openTabs } = prepareDemo()

test('a second tab is given its token, and each tab shows who asked, beside the broker requests of all tabs', async () => {
  const [first, second] = await openTabs({ lifetimeSeconds: 10 })
  const count = async (page: typeof first, what: string) =>
    Number(await page.locator(`[data-tab="${what}"]`).textContent())
  await message(second, 'This stays between us').waitFor()
  // Token by token: what all tabs asked for is what they say that they asked for.
  await eventually(async () => {
    const [all, asked, other] = await Promise.all([
      count(first, 'all'),
      count(first, 'asked'),
      count(second, 'asked'),
    ])
    expect(all).toBeGreaterThanOrEqual(3)
    expect(asked + other).toBe(all)
    expect((await count(first, 'given')) + (await count(second, 'given'))).toBeGreaterThanOrEqual(2)
  }, 90_000)
  expect(await second.locator('[data-lane=tabs] svg').getAttribute('aria-label')).toContain(
    '0 requests refused by Weavy',
  )
})
