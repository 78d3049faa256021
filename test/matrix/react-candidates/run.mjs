// npm installs this library beside React's release candidates, whose versions a plain range does not include.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

for (const react of ['18.0.0', '19.0.0-rc.1', '19.3.1']) {
  const dependencies = { react, 'weavy-token': `file:${process.env.WEAVY_TOKEN_TARBALL}` }
  writeFileSync('package.json', JSON.stringify({ private: true, dependencies }))
  // What cannot be resolved ends in ERESOLVE.
  const args = [
    'install',
    '--package-lock-only',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--force=false',
  ]
  execFileSync('npm', args, { stdio: 'inherit' })
}
