// What must be there before the build: no old `dist`, and a folder for each sub-path of the package, for tools that do
// not read `exports` (Parcel's defaults, moduleResolution node).
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

rmSync('dist', { recursive: true, force: true })
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
for (const [path, { types, default: main }] of Object.entries(exports)) {
  if (path === '.' || !main) continue
  mkdirSync(path, { recursive: true })
  writeFileSync(`${path}/package.json`, JSON.stringify({ main: join('..', main), types: join('..', types) }))
}
