import { defineConfig } from 'vitest/config'
import { engines } from '../browser/projects.js'

const project = engines(['chromium'], { name: 'bench', include: ['test/bench/uikit.ts'] })

export default defineConfig({
  ...project,
  root: new URL('../..', import.meta.url).pathname,
  test: {
    ...project.test,
    testTimeout: 600_000,
    silent: true,
    browser: {
      ...project.test.browser,
      commands: {
        ...project.test.browser.commands,
        print: (_context: unknown, text: string) => {
          process.stdout.write(text)
        },
      },
    },
  },
})
