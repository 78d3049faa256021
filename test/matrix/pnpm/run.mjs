// pnpm, where a package finds nothing that it does not name: React's types are no silent `any`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { writeTypedApp } from '../typed-app.mjs'

const pnpm = resolve('node_modules/pnpm/bin/pnpm.cjs')
mkdirSync('app')
process.chdir('app')
const manifest = {
  name: 'app',
  private: true,
  type: 'module',
  dependencies: { react: '19.3.1', 'weavy-token': `file:${process.env.WEAVY_TOKEN_TARBALL}` },
  devDependencies: { '@types/react': '19.3.0', typescript: '5.9.3' },
}
writeFileSync('package.json', JSON.stringify(manifest))
writeFileSync('pnpm-workspace.yaml', 'packages: [.]\nhoist: false\nstrictPeerDependencies: true\n')
const run = (...args) => execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
run(pnpm, 'install', '--prefer-offline', '--ignore-scripts')
writeTypedApp('Node16', 'node16')
run('node_modules/typescript/bin/tsc', '-p', '.')
const program = `
  for (const entry of ['weavy-token', 'weavy-token/react', 'weavy-token/broker']) await import(entry)`
run('--input-type=module', '-e', program)
