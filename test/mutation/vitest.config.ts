import { defineConfig } from 'vitest/config'
import { BaseSequencer, type InlineConfig, type TestSpecification } from 'vitest/node'
import { ALONE } from '../alone.js'

const project = (name: string, include: string[], options: InlineConfig = {}) => ({
  resolve: { tsconfigPaths: true },
  // Deep enough for the explorer to meet every rule, and quick.
  test: { name, include, env: { DEPTH: '4', EFFORT: '0.05' }, ...options },
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
      // These leave nothing behind, so that all run in one process, which is quicker by far.
      project('core', ['test/*.test.ts', 'test/{machine,tabs,uikit,testing}/**/*.test.ts'], {
        exclude: ['test/{docs,catalogue}.test.ts', ...ALONE],
        isolate: false,
      }),
      project('broker', ['test/broker/*.test.ts'], {
        exclude: ['test/broker/redis*.test.ts', ...ALONE],
        isolate: false,
      }),
      project('alone', [...ALONE, 'test/check/*.test.ts']),
      project('react', ['test/react/*.test.tsx'], { environment: 'jsdom', isolate: false }),
    ],
  },
})
