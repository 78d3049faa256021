import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import type { BrowserInstanceOption, InlineConfig } from 'vitest/node'
import { find } from '../../scripts/browsers.mjs'
import { commands } from './commands.js'
import { webkitGtk } from './webkit/provider.js'

type ProjectOptions = Pick<InlineConfig, 'name' | 'include' | 'exclude' | 'sequence' | 'maxWorkers'>

const built = (file: string) => fileURLToPath(new URL(`../../dist/${file}.js`, import.meta.url))

/** Real browsers run the built files, next to real UIKits. */
const project = (instances: BrowserInstanceOption[], uikits: readonly string[], options: ProjectOptions) => ({
  resolve: {
    alias: [
      { find: /^weavy-token$/, replacement: built('index') },
      { find: /^weavy-token\/react$/, replacement: built('react') },
    ],
  },
  // WebKit does not read `using` yet.
  oxc: { target: 'es2022' },
  // Found while a test runs, a dependency would reload its page.
  optimizeDeps: { include: [...uikits] },
  test: {
    ...options,
    testTimeout: 90_000,
    // Scenarios that need nothing of the page run side by side in it.
    maxConcurrency: 8,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances,
      commands,
    },
  },
})

const launch = (launchOptions: object) => playwright({ launchOptions })

const chromium = (): BrowserInstanceOption => ({
  browser: 'chromium',
  provider: launch({
    executablePath: find('chromium')?.path,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  }),
})

/** The system's Firefox speaks to Playwright through a channel of its own. */
const firefox = (): BrowserInstanceOption => {
  const program = find('firefox')
  const channel = program && !program.playwrights && { channel: 'moz-firefox' }
  return { browser: 'firefox', provider: launch({ ...channel, executablePath: program?.path }) }
}

/** WebKitGTK; Playwright's WebKit where that is what the machine has. */
const webkit = (): BrowserInstanceOption => ({
  browser: 'webkit',
  provider: find('webkit')?.playwrights ? launch({}) : webkitGtk(),
})

const INSTANCES = { chromium, firefox, webkit }
type Name = keyof typeof INSTANCES

const REACT = ['@weavy/uikit-react', 'react', 'react-dom', 'react-dom/client', 'react/jsx-dev-runtime']

/** The newest UIKit in these engines: one project, whose modules are made once. */
export const engines = (names: readonly Name[], options: ProjectOptions) =>
  project(
    names.map((name) => ({ ...INSTANCES[name](), name })),
    ['@weavy/uikit-web', ...REACT],
    options,
  )

/** The older versions of the UIKit that are supported, in one engine. */
export const oldUikits = (options: ProjectOptions) =>
  project([chromium()], ['uikit-web-25', 'uikit-web-27', 'uikit-web-31'], options)
