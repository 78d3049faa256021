// The examples of docs/testing.md in Vitest, with both of its DOMs, and in node:test.
import { execFileSync } from 'node:child_process'
import { writeExamples } from '../documented.mjs'

const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' })

writeExamples('testing', /^src\//)
for (const environment of ['jsdom', 'happy-dom'])
  run('node_modules/vitest/vitest.mjs', 'run', '--dir', 'src', '--environment', environment)
run('--test', ...writeExamples('testing', /^test\/.*\.mjs$/))
