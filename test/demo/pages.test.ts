import { describe, expect, test } from 'vitest'
import { eventually, message, prepareDemo } from './demo.js'

const { open } = prepareDemo()

describe.each(['vanilla', 'react'] as const)('the %s page', (lane) => {
  test('shows messages and a connected hub, and rotates tokens without a refused request or a complaint', async () => {
    const { pick, seen, ask, status, summary, complaints, expectAgreement } = await open(lane)
    await pick('5 s')
    await eventually(async () => expect(await seen('tokens')).toBeGreaterThanOrEqual(5))
    expect(await status()).toBe('ready')
    expect((await ask()).weavy).toMatchObject({ refused: 0, wrongUser: 0, hubs: 1 })
    await expectAgreement('tokens', 'broker', 'refreshes', 'requests', 'refused')
    // One request for each token: none of them was asked for twice.
    expect(await seen('broker')).toBe(await seen('tokens'))
    expect(await summary()).toMatch(
      /weavy-token: \d+ tokens, \d+ broker requests, 0 requests refused by Weavy/,
    )
    expect(complaints).toEqual([])
  })

  test('follows another user, who sees nothing of the one before and sends nothing as that one', async () => {
    const { page, pick, ask, status } = await open(lane)
    await pick('bob')
    await message(page, 'Thanks, Bob. This stays between us.').waitFor()
    expect(await page.getByText('Thanks, Alice').count()).toBe(0)
    await pick('nobody')
    await eventually(async () => expect(await status()).toBe('signed-out'))
    // Weavy may still answer what was in the air; the page has given it up.
    await page.waitForTimeout(500)
    const { weavy } = await ask()
    await page.waitForTimeout(3000)
    const later = await ask()
    expect(later.weavy).toMatchObject({ requests: weavy?.requests, wrongUser: 0 })
  })

  test('fits on a phone, shows the code that it runs, and leads to the other page', async () => {
    const { page } = await open(lane, 390)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    const code = await page.locator('pre').textContent()
    expect(code).toContain(
      lane === 'vanilla' ? 'connectWeavy(source, weavy)' : '<WeavyTokenProvider tokenUrl={tokenUrl}',
    )
    expect(code?.trim().split('\n').length).toBeLessThan(30)
    await page
      .getByRole('navigation')
      .getByText(lane === 'vanilla' ? 'React' : 'Vanilla')
      .click()
    await message(page, 'This stays between us').waitFor()
    expect(new URL(page.url()).pathname).toBe(lane === 'vanilla' ? '/react' : '/')
  })
})

test('compares with the built-in tokenUrl, which is refused at each expiry and goes on as the old user', async () => {
  const { pick, compare, page, ...library } = await open()
  await pick('5 s')
  const shortLived = await compare()
  await eventually(async () => expect(await shortLived.seen('refused')).toBeGreaterThanOrEqual(2))
  await shortLived.expectAgreement('tokens', 'broker', 'refreshes', 'requests', 'refused')
  expect(await shortLived.verdict()).toMatch(/^[2-9] refused requests/)
  expect((await library.ask()).weavy?.refused).toBe(0)
  expect(await library.verdict()).toBe('0 refused requests')
  await page.getByRole('switch').click()
  expect(await page.locator('iframe').count()).toBe(0)
  // One that begins with a token of an hour: a short one may end with the switch, and the next is bob's.
  await pick('1 h')
  const longLived = await compare()
  await eventually(async () => expect(await longLived.seen('tokens')).toBe(1))
  await pick('bob')
  await eventually(async () => expect(await longLived.counted('wrong-user')).toBeGreaterThan(0))
  expect((await longLived.ask()).weavy?.wrongUser).toBeGreaterThan(0)
  expect((await library.ask()).weavy?.wrongUser).toBe(0)
})

test('can be used by keyboard alone', async () => {
  const { page, ask, seen } = await open()
  await page.getByRole('switch').focus()
  const names = new Set<string>()
  for (let step = 0; step < 25; step++) {
    names.add(
      await page.evaluate(() => {
        const { activeElement } = document
        const input = activeElement as HTMLInputElement
        return (input.labels?.[0] ?? activeElement)?.textContent?.trim() ?? ''
      }),
    )
    await page.keyboard.press('Tab')
  }
  expect([...names]).toEqual(
    expect.arrayContaining([
      'The last events as text',
      '20 s',
      'fine',
      'alice',
      'Revoke all tokens',
      'Drop the hub',
      'Forbid notifications (403)',
      'Burst of 50 requests',
      'Go offline',
    ]),
  )
  await page.getByRole('radio', { name: '20 s' }).focus()
  await page.keyboard.press('ArrowRight')
  await eventually(async () => expect((await ask()).weavy?.tokens).toBe(2))
  await page.getByRole('button', { name: 'Revoke all tokens' }).focus()
  await page.keyboard.press('Enter')
  await eventually(async () => expect(await seen('refused')).toBeGreaterThan(0))
})
