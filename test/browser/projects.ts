import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import type { BrowserProviderOption, InlineConfig } from 'vitest/node'
import { find } from '../../scripts/browsers.mjs'
import { commands } from './commands.js'
import { webkitGtk } from './webkit/provider.js'

type ProjectOptions = Pick<InlineConfig, 'name' | 'include' | 'exclude' | 'sequence' | 'maxWorkers'>

const built = (file: string) => fileURLToPath(new URL(`../../dist/${file}.js`, import.meta.url))

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Real browsers run the built files, next to the real UIKit. */
const browser = (
  engine: 'chromium' | 'firefox' | 'webkit',
  provider: BrowserProviderOption,
  options: ProjectOptions,
) => ({
  resolve: {
    alias: [
      { find: /^weavy-token$/, replacement: built('index') },
      { find: /^weavy-token\/react$/, replacement: built('react') },
    ],
  },
  // WebKit does not read `using` yet.
  oxc: { target: 'es2022' },
  // Found while a test runs, a dependency would reload its page.
  optimizeDeps: {
    include: [
      '@weavy/uikit-react',
      '@weavy/uikit-web',
      'react',
      'react-dom',
      'react-dom/client',
      'react/jsx-dev-runtime',
      'uikit-web-25',
      'uikit-web-27',
      'uikit-web-31',
    ],
  },
  test: {
    ...options,
    testTimeout: 90_000,
    // Scenarios that need nothing of the page run side by side in it.
    maxConcurrency: 8,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider,
      instances: [{ browser: engine }],
      commands,
    },
  },
})

const launch = (launchOptions: object) => playwright({ launchOptions })

export const chromium = (options: ProjectOptions) =>
  browser(
    'chromium',
    launch({
      executablePath: find('chromium')?.path,
      args: CHROMIUM_FLAGS,
    }),
    options,
  )

/** The system's Firefox speaks to Playwright through a channel of its own. */
export const firefox = (options: ProjectOptions) => {
  const program = find('firefox')
  const channel = program && !program.playwrights && { channel: 'moz-firefox' }
  return browser('firefox', launch({ ...channel, executablePath: program?.path }), options)
}

/** WebKitGTK; Playwright's WebKit where that is what the machine has. */
export const webkit = (options: ProjectOptions) =>
  browser('webkit', find('webkit')?.playwrights ? launch({}) : webkitGtk(), options)
