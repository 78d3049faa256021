import { defineConfig } from 'vitest/config'
import { chromium, firefox } from './test/browser/projects.js'

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
          exclude: ['test/{browser,react,package,demo,matrix}/**'],
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
      {
        resolve: { tsconfigPaths: true },
        test: {
          name: 'package',
          environment: 'node',
          include: ['test/package/**/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      // Tokens live for seconds from here on, so no more than two of these run beside each other: 2, then 3.
      firefox({
        name: 'firefox',
        include: ['test/browser/{rotation,uikit-32,react}.test.{ts,tsx}'],
        sequence: { groupOrder: 2 },
      }),
      chromium({
        name: 'trouble',
        include: ['test/browser/trouble.test.ts'],
        sequence: { groupOrder: 2 },
      }),
      chromium({
        name: 'chromium',
        include: ['test/browser/**/*.test.{ts,tsx}'],
        exclude: ['test/browser/trouble.test.ts'],
        sequence: { groupOrder: 3 },
      }),
      {
        resolve: { tsconfigPaths: true },
        test: {
          name: 'demo',
          environment: 'node',
          include: ['test/demo/**/*.test.ts'],
          globalSetup: 'test/demo/build.ts',
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
