import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  resolve: { tsconfigPaths: true },
  test: {
    name: 'demo',
    environment: 'node',
    include: ['test/demo/**/*.test.ts'],
    globalSetup: fileURLToPath(new URL('build.ts', import.meta.url)),
    // Tokens live for seconds here: pages that have to share a processor would miss their times.
    fileParallelism: false,
    sequence: { groupOrder: 4 },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
