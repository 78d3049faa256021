import { chromium, firefox, type LaunchOptions, webkit } from 'playwright'
import { find } from '../scripts/browsers.mjs'
import { startWebKit } from './browser/webkit/driver.js'

/** A page as every engine has it, for tests that drive it from outside. */
export interface EnginePage {
  /** Resolves after the `load` of the page. */
  goto(url: string): Promise<unknown>
  /** Evaluates an expression, waits for its promise, and brings what JSON can bring. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

/** A browser with a profile of its own. Its pages share cookies, storage, channels and locks, as tabs do. */
export interface Engine {
  /** Resolves after the `load` of the page. */
  open(url: string): Promise<EnginePage>
  close(): Promise<void>
}

export const ENGINES = ['chromium', 'firefox', 'webkit'] as const
export type EngineName = (typeof ENGINES)[number]

const CHROMIUM: LaunchOptions = {
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
}

/** Starts an engine of the machine, or Playwright's build of it where the machine has none. */
export async function startEngine(name: EngineName): Promise<Engine> {
  const program = find(name)
  if (!program) throw new Error(`There is no ${name}: run node scripts/browsers.mjs.`)
  const { path, playwrights } = program
  if (name === 'webkit' && !playwrights) return startWebKit()
  const type = { chromium, firefox, webkit }[name]
  const channel = !playwrights && { channel: 'moz-firefox' }
  const browser = await type.launch({
    ...(name === 'chromium' && CHROMIUM),
    ...(name === 'firefox' && channel),
    executablePath: path,
  })
  const context = await browser.newContext()
  return {
    async open(url) {
      const page = await context.newPage()
      await page.goto(url)
      return {
        goto: (to) => page.goto(to),
        evaluate: (expression) => page.evaluate(expression),
        close: () => page.close(),
      }
    },
    close: () => browser.close(),
  }
}
