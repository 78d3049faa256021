import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const project = (environment: 'node' | 'jsdom', include: string[], exclude: string[] = []) => ({
  resolve: { tsconfigPaths: true },
  test: {
    name: environment,
    environment,
    include,
    exclude,
    // Deep enough for the explorer to meet every rule, and quick.
    env: { DEPTH: '4', EFFORT: '0.05' },
  },
})

/** Tests of thousands of worlds. They notice almost everything, late. */
const LONG = /properties|search|interleavings|explorer|stand-in/

/** The short ones first, because the first that fails ends a run. */
class ShortFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId)
    return [...files.filter((file) => !isLong(file)), ...files.filter(isLong)]
  }
}

/** The unit tests that can kill a mutant of `src`, without those that read the project's own files. */
export default defineConfig({
  test: {
    silent: true,
    sequence: { sequencer: ShortFirst },
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
