// Deno, from npm, without leave to read the environment or anything else.
import { execFileSync } from 'node:child_process'
import { checkRuntime } from '../runtime.mjs'

execFileSync(process.execPath, ['install.cjs'], { cwd: 'node_modules/deno', stdio: 'inherit' })
checkRuntime('node_modules/deno/bin.cjs', ['run', '--no-prompt', '--node-modules-dir=manual'])
