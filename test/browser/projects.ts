import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { chromiumPath, firefoxPath } from '../../scripts/browsers.mjs'
import { commands } from './commands.js'

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
const browser = (name: string, include: string[], groupOrder: number, launchOptions: object) => ({
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
    name,
    include,
    fileParallelism: false,
    // Alone, after whatever needs the processor: tokens live for seconds here.
    sequence: { groupOrder },
    testTimeout: 90_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      // One browser name for both: the provider starts the executable that it is given.
      instances: [{ browser: name as 'chromium' | 'firefox' }],
      commands,
    },
  },
})

export const chromium = (include: string[]) =>
  browser('chromium', include, 2, { executablePath: chromiumPath(), args: CHROMIUM_FLAGS })

export const firefox = (include: string[]) =>
  browser('firefox', include, 3, { channel: 'moz-firefox', executablePath: firefoxPath() })
