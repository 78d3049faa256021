import { defineConfig } from 'vitest/config'

const project = (environment: 'node' | 'jsdom', include: string[], exclude: string[] = []) => ({
  resolve: { tsconfigPaths: true },
  // Deep enough for the explorer to meet every rule, and quick.
  test: { name: environment, environment, include, exclude, env: { DEPTH: '4' } },
})

/** The unit tests that can kill a mutant of `src`, without those that read the project's own files. */
export default defineConfig({
  test: {
    silent: true,
    projects: [
      project(
        'node',
        ['test/*.test.ts', 'test/{machine,broker,tabs,uikit,check,testing}/**/*.test.ts'],
        ['test/{docs,catalogue}.test.ts', 'test/broker/redis*.test.ts'],
      ),
      project('jsdom', ['test/react/**/*.test.tsx']),
    ],
  },
})
