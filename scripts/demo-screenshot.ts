// Draws docs/demo.png: both pages of the demo side by side, after some expiries, a revocation and another user.
import { mkdir } from 'node:fs/promises'
import { chromium } from 'playwright'
import { serveDemo } from '../demo/serve.js'
import { chromiumPath } from './browsers.mjs'

const DIRECTORY = new URL('../docs/', import.meta.url)

const executablePath = chromiumPath()
if (!executablePath) throw new Error('Chromium is missing: install it, or set CHROMIUM_PATH.')

const demo = await serveDemo({ port: 0, environment: null })
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 940 }, colorScheme: 'light' })
  await page.goto(demo.url)
  await page.getByRole('switch').click()
  await page.locator('[data-lane="built-in"]').waitFor()
  await page.getByRole('radio', { name: '10 s' }).check({ force: true })
  await page.waitForTimeout(20_000)
  // A broker gives a token that it has just replaced once more, so one in the middle of its life is revoked.
  await page.locator('[data-lane="vanilla"] .left', { hasText: /^[23]\./ }).waitFor()
  await page.getByRole('button', { name: 'Revoke all tokens' }).click()
  await page.waitForTimeout(6_000)
  await page.getByRole('radio', { name: 'bob' }).check({ force: true })
  await page.waitForTimeout(5_000)
  await mkdir(DIRECTORY, { recursive: true })
  await page.screenshot({ path: new URL('demo.png', DIRECTORY).pathname })
} finally {
  await browser.close()
  await demo.close()
}
