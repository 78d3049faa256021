import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { LaneName, Report, Settings } from '../../demo/control.js'
import type { Environment } from '../../demo/environment.js'
import { serveDemo } from '../../demo/serve.js'
import type { Listening } from '../../demo/stand-in/listen.js'
import { chromiumPath } from '../../scripts/browsers.mjs'

/** A message in the conversation; the list of conversations quotes it too. */
export const message = (page: Page, hasText: string) => page.locator('p', { hasText })

/** A demo and a browser for the tests of one file; each test opens pages of its own. */
export function prepareDemo(findEnvironment: () => Promise<Environment | null> = async () => null) {
  let browser: Browser
  let demo: Listening
  const pages: Page[] = []

  beforeAll(async () => {
    demo = await serveDemo({ port: 0, environment: await findEnvironment() })
    browser = await chromium.launch({
      executablePath: chromiumPath() as string,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    })
  })
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close()
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.close()
  })

  /** Opens a page of the demo and waits until its messenger shows messages. */
  async function open(lane: 'vanilla' | 'react' = 'vanilla', width = 1280) {
    // Whoever wants less motion has the picture drawn once a second, which leaves the machine to the tests.
    const page = await browser.newPage({ viewport: { width, height: 900 }, reducedMotion: 'reduce' })
    pages.push(page)
    const complaints: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(`${demo.url}${lane === 'react' ? '/react' : '/'}`)
    await message(page, 'This stays between us').waitFor()
    return { ...look(page, lane), page, complaints }
  }

  function look(page: Page, lane: LaneName) {
    const ask = async (): Promise<Report> => (await fetch(`${demo.url}/control/${lane}`)).json()
    /** What the page says, and next to it the servers, both read at one moment. */
    const row = async (id: string) => {
      const cells = await page.locator(`[data-count^="${lane} ${id} "]`).allTextContents()
      return cells.map((text) => Number.parseInt(text, 10))
    }
    return {
      /** What the servers counted, asked without the page. */
      ask,
      /** What the panel shows. */
      /** Waits until panel and servers agree about each of these counts, which they do but for what is in the air. */
      expectAgreement: (...ids: (keyof typeof IN_REPORT)[]) =>
        eventually(async () => {
          const report = await ask()
          for (const id of ids) {
            const truth = IN_REPORT[id](report)
            expect({ [id]: await row(id) }).toEqual({ [id]: [truth, truth] })
          }
        }),
      seen: async (id: string) => (await row(id))[0] as number,
      counted: async (id: string) => (await row(id))[1] as number,
      status: () => page.locator(`[data-lane=${lane}] .status`).textContent(),
      verdict: () => page.locator(`[data-lane=${lane}] .verdict`).textContent(),
      /** The timeline, as those hear it who cannot see it, and its last events. */
      summary: () => page.locator(`[data-lane=${lane}] svg`).getAttribute('aria-label'),
      events: async () => (await page.locator(`[data-lane=${lane}] li`).allTextContents()).join('\n'),
      marks: async () => (await page.locator(`[data-lane=${lane}] svg title`).allTextContents()).join('\n'),
      press: (name: string | RegExp) => page.getByRole('button', { name }).click(),
      pick: (name: string) => page.getByRole('radio', { name, exact: true }).check({ force: true }),
      compare: async () => {
        await page.getByRole('switch').click()
        await page.locator('[data-lane="built-in"]').waitFor()
        return look(page, 'built-in')
      },
    }
  }
  /** Opens the page of the tabs twice in one browser; the first has its token before the second one comes. */
  async function openTabs(settings: Partial<Settings>): Promise<[Page, Page]> {
    await fetch(`${demo.url}/control/tabs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ settings }),
    })
    const context = await browser.newContext({ reducedMotion: 'reduce' })
    const openTab = async () => {
      const page = await context.newPage()
      pages.push(page)
      await page.goto(`${demo.url}/tabs`)
      await message(page, 'This stays between us').waitFor()
      return page
    }
    return [await openTab(), await openTab()]
  }
  return { open, openTabs }
}

/** Waits until this holds. */
export const eventually = (check: () => Promise<void> | void, timeout = 20_000) =>
  expect
    .poll(
      async () => {
        try {
          await check()
          return 'holds'
        } catch (error) {
          return (error as Error).message
        }
      },
      { timeout, interval: 200 },
    )
    .toBe('holds')

const IN_REPORT = {
  tokens: ({ weavy }: Report) => weavy?.tokens,
  broker: ({ broker }: Report) => broker.requests,
  refreshes: ({ broker }: Report) => broker.refreshes,
  'broker-failed': ({ broker }: Report) => broker.failed,
  requests: ({ weavy }: Report) => weavy?.requests,
  refused: ({ weavy }: Report) => weavy?.refused,
  forbidden: ({ weavy }: Report) => weavy?.forbidden,
}
