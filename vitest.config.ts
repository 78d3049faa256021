import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { chromiumPath, firefoxPath } from './scripts/browsers.mjs'
import { commands } from './test/browser/commands.js'

const built = (file: string) => fileURLToPath(new URL(`dist/${file}.js`, import.meta.url))

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
const browser = (name: string, include: string[], launchOptions: object) => ({
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

export default defineConfig({
  test: {
    // The UIKit talks a lot.
    silent: 'passed-only',
    projects: [
      {
        resolve: { tsconfigPaths: true },
        test: {
          name: 'node',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/react/**', 'test/package/**', 'test/demo/**'],
        },
      },
      {
        resolve: { tsconfigPaths: true },
        test: { name: 'jsdom', environment: 'jsdom', include: ['test/react/**/*.test.tsx'] },
      },
      {
        resolve: {
          tsconfigPaths: true,
          alias: [{ find: /^(react|react-dom)(?=\/|$)/, replacement: '$1-18' }],
        },
        test: {
          name: 'react-18',
          environment: 'jsdom',
          include: ['test/react/**/*.test.tsx'],
          setupFiles: ['test/react/react-18.ts'],
          env: { REACT_VERSION: '18.0.0' },
        },
      },
      browser('chromium', ['test/browser/**/*.test.{ts,tsx}'], {
        executablePath: chromiumPath(),
        args: CHROMIUM_FLAGS,
      }),
      browser('firefox', ['test/browser/{rotation,uikit-32,react,global-build}.test.{ts,tsx}'], {
        channel: 'moz-firefox',
        executablePath: firefoxPath(),
      }),
    ],
  },
})
