import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import type { InlineConfig } from 'vitest/node'
import { chromiumPath, firefoxPath } from '../../scripts/browsers.mjs'
import { commands } from './commands.js'

type ProjectOptions = Pick<InlineConfig, 'name' | 'include' | 'exclude' | 'sequence'>

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
const browser = (engine: 'chromium' | 'firefox', launchOptions: object, options: ProjectOptions) => ({
  resolve: {
    alias: [
      { find: /^weavy-token$/, replacement: built('index') },
      { find: /^weavy-token\/react$/, replacement: built('react') },
    ],
  },
  // Found while a test runs, a dependency would reload its page.
  optimizeDeps: {
    include: [
      '@tanstack/query-core',
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
    fileParallelism: false,
    testTimeout: 90_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      instances: [{ browser: engine }],
      commands,
    },
  },
})

export const chromium = (options: ProjectOptions) =>
  browser('chromium', { executablePath: chromiumPath(), args: CHROMIUM_FLAGS }, options)

export const firefox = (options: ProjectOptions) =>
  browser('firefox', { channel: 'moz-firefox', executablePath: firefoxPath() }, options)
