// Parcel with its defaults, which does not read `exports`.
import { execFileSync } from 'node:child_process'
import { checkPage, writePages } from '../bundled-pages.mjs'

writePages()
const parcel = ['node_modules/parcel/lib/bin.js', 'build', 'src/page.js', 'src/react.js', '--dist-dir', 'out']
const options = ['--no-cache', '--no-source-maps', '--no-autoinstall', '--log-level', 'error']
execFileSync(process.execPath, [...parcel, ...options], {
  stdio: 'inherit',
  env: { ...process.env, CI: 'true' },
})
await checkPage('page', 'out/page.js')
await checkPage('react', 'out/react.js')
