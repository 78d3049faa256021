// Bun, from npm.
import { execFileSync } from 'node:child_process'
import { checkRuntime } from '../runtime.mjs'

execFileSync(process.execPath, ['install.js'], { cwd: 'node_modules/bun', stdio: 'inherit' })
checkRuntime('node_modules/bun/bin/bun.exe', ['run'])
