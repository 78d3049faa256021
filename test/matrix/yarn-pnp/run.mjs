// Yarn's Plug'n'Play, where there is no node_modules and a package finds nothing that it does not name.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { writeTypedApp } from '../typed-app.mjs'

const yarn = resolve('node_modules/@yarnpkg/cli-dist/bin/yarn.js')
mkdirSync('app')
process.chdir('app')
copyFileSync(process.env.WEAVY_TOKEN_TARBALL, 'weavy-token.tgz')
const manifest = {
  name: 'app',
  private: true,
  type: 'module',
  dependencies: { react: '19.3.1', 'weavy-token': 'file:./weavy-token.tgz' },
  devDependencies: { '@types/react': '19.3.0', typescript: '5.9.3' },
}
writeFileSync('package.json', JSON.stringify(manifest))
writeFileSync('yarn.lock', '')
writeFileSync(
  '.yarnrc.yml',
  'nodeLinker: pnp\nenableTelemetry: false\nenableGlobalCache: false\nenableScripts: false\n',
)
const run = (...args) => execFileSync(process.execPath, [yarn, ...args], { stdio: 'inherit' })
run('install', '--no-immutable')
writeTypedApp('Node16', 'node16')
run('tsc', '-p', '.')
const program = `
  for (const entry of ['weavy-token', 'weavy-token/react', 'weavy-token/broker']) await import(entry)`
run('node', '--input-type=module', '-e', program)
