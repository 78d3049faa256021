// pnpm, where a package finds nothing that it does not name: React's types are no silent `any`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { writeTypedApp } from '../typed-app.mjs'

const pnpm = resolve('node_modules/pnpm/bin/pnpm.cjs')
mkdirSync('workspace/packages/app', { recursive: true })
process.chdir('workspace')
writeFileSync('package.json', '{ "private": true }')
// Where the app is no ancestor of what pnpm keeps, as in every monorepo.
writeFileSync('pnpm-workspace.yaml', 'packages: [packages/*]\nhoist: false\nstrictPeerDependencies: true\n')
process.chdir('packages/app')
const manifest = {
  name: 'app',
  private: true,
  type: 'module',
  dependencies: { react: '19.3.1', 'weavy-token': `file:${process.env.WEAVY_TOKEN_TARBALL}` },
  devDependencies: { '@types/react': '19.3.0', typescript: '5.9.3' },
}
writeFileSync('package.json', JSON.stringify(manifest))
const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' })
run(pnpm, 'install', '--prefer-offline', '--ignore-scripts')
writeTypedApp('Node16', 'node16')
run('node_modules/typescript/bin/tsc', '-p', '.')
const program = `
  for (const entry of ['weavy-token', 'weavy-token/react', 'weavy-token/broker']) await import(entry)`
run('--input-type=module', '-e', program)
