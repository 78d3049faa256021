import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { BaseSequencer, type Reporter, type TestSpecification } from 'vitest/node'
import { ALONE } from './test/alone.js'
import { engines, oldUikits } from './test/browser/projects.js'
import { isUnheard } from './test/browser/unheard.js'
import { ENGINES } from './test/engines.js'

type Project = NonNullable<TestProjectInlineConfiguration['test']>

const project = (test: Project, resolve = {}): TestProjectInlineConfiguration => ({
  resolve: { tsconfigPaths: true, ...resolve },
  // Five times what the slowest unit test takes, because both cores may be busy with something else.
  test: { testTimeout: 30_000, expect: { poll: { timeout: 20_000 } }, ...test },
})

/** A file for each core, and one that waits for something: by default Vitest leaves a core to others, which on two is half. */
const FIRST = { maxWorkers: availableParallelism() + 1 }

/**
 * Those that drive pages wait for the others. Most of their time they wait for seconds to pass, so two files run at once
 * beside two pages of each engine, whatever the machine.
 */
const WAITING = { maxWorkers: 2, sequence: { groupOrder: 1 } }

/** Files of Node share a process where nothing stays behind: to load Playwright takes a second and a half. */
const NODE = { environment: 'node', isolate: false } as const

/**
 * What waits for Redis begins at once. The trouble of brokers, in which pages wait most, comes late, beside it tabs, which
 * leave no core idle, and beside the last of these the other pages that are driven. The rest is between, as it comes.
 */
const EARLY = /redis/
const LATE = [/trouble/, /[/]pages[/]tabs[/]/, /[/]pages[/][^/]+$/]

class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      EARLY.test(moduleId) ? -2 : LATE.findIndex((pattern) => pattern.test(moduleId))
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other))
  }
}

/** Names once more what failed, at the end: that is what is left of a log that was cut. */
const lastWord: Reporter = {
  onTestRunEnd(modules) {
    for (const module of modules)
      for (const test of module.children.allTests('failed'))
        process.stderr.write(`FAILED [${test.project.name}] ${module.relativeModuleId} > ${test.fullName}\n`)
  },
}

/** The older versions of the UIKit that are supported, in one engine; the newest is tried in all. */
const OLD_UIKITS = 'test/browser/{uikit,boundaries}-{25,27,31}.test.ts'

export default defineConfig({
  test: {
    onUnhandledError(error: { message: string; stack?: string; VITEST_TEST_PATH?: string }) {
      return !(error.VITEST_TEST_PATH?.includes('test/browser/') && isUnheard(error))
    },
    sequence: { sequencer: InOrder },
    reporters: ['default', lastWord],
    // The UIKit talks a lot.
    silent: 'passed-only',
    projects: [
      // `npm run test:unit` runs these four.
      project({
        ...FIRST,
        ...NODE,
        name: 'node',
        include: ['test/**/*.test.ts'],
        exclude: [
          'test/{browser,pages,react,package,demo,matrix,mutation}/**',
          'test/broker/redis*.test.ts',
          ...ALONE,
        ],
      }),
      project({ ...FIRST, name: 'alone', environment: 'node', include: ALONE }),
      project({
        ...FIRST,
        name: 'jsdom',
        environment: 'jsdom',
        isolate: false,
        include: ['test/react/**/*.test.tsx'],
      }),
      project(
        {
          ...FIRST,
          name: 'react-18',
          environment: 'jsdom',
          isolate: false,
          include: ['test/react/**/*.test.tsx'],
          setupFiles: ['test/react/react-18.ts'],
          env: { REACT_VERSION: '18.0.0' },
        },
        { alias: [{ find: /^(react|react-dom)(?=\/|$)/, replacement: '$1-18' }] },
      ),

      project({
        ...FIRST,
        ...NODE,
        name: 'redis',
        include: ['test/broker/redis*.test.ts'],
        // They wait for the rest of a store, each with a Redis to itself.
        maxConcurrency: 13,
      }),
      project({
        ...FIRST,
        ...NODE,
        name: 'package',
        include: ['test/package/**/*.test.ts'],
        testTimeout: 60_000,
      }),
      // Pages that are driven from outside: navigation, several tabs.
      project({
        ...WAITING,
        ...NODE,
        name: 'pages',
        include: ['test/pages/*.test.ts'],
        testTimeout: 60_000,
      }),
      project({
        ...WAITING,
        ...NODE,
        name: 'tabs',
        include: ['test/pages/tabs/*.test.ts'],
        testTimeout: 60_000,
      }),
      project({
        ...WAITING,
        ...NODE,
        name: 'demo',
        include: ['test/demo/**/*.test.ts'],
        globalSetup: 'test/demo/build.ts',
        testTimeout: 120_000,
        hookTimeout: 60_000,
      }),

      // Every file of test/browser runs in each engine: `--project chromium` and so on.
      engines(ENGINES, {
        ...WAITING,
        name: 'engines',
        include: ['test/browser/**/*.test.{ts,tsx}'],
        exclude: [OLD_UIKITS],
      }),
      oldUikits({ ...WAITING, name: 'old-uikits', include: [OLD_UIKITS] }),
    ],
  },
})
