// The oldest and the newest TypeScript, under every way to find a package.
import { execFileSync } from 'node:child_process'
import { writeTypedApp } from '../typed-app.mjs'

const MODES = {
  node10: ['CommonJS', 'node'],
  node16: ['Node16', 'node16'],
  bundler: ['ESNext', 'bundler'],
}
const COMPILERS = {
  4.7: ['node10', 'node16'],
  '5.0': ['node10', 'node16', 'bundler'],
  5.9: ['node10', 'node16', 'bundler'],
  // It has no node10 any more.
  '7.0': ['node16', 'bundler'],
}

let failed = false
for (const [version, modes] of Object.entries(COMPILERS))
  for (const mode of modes) {
    writeTypedApp(...MODES[mode])
    try {
      const tsc = [`node_modules/typescript-${version}/bin/tsc`, '-p', '.']
      execFileSync(process.execPath, tsc, { encoding: 'utf8' })
    } catch (error) {
      failed = true
      console.log(`TypeScript ${version}, ${mode}\n${error.stdout}`)
    }
  }
process.exitCode = failed ? 1 : 0
