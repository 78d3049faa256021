// A folder for each sub-path of the package, for tools that do not read `exports` (Parcel's defaults, moduleResolution
// node). They are there while npm packs, and no longer: `react/` here would stand in the way of React.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const isOver = process.argv.includes('--remove')
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
for (const [path, { types, default: main }] of Object.entries(exports)) {
  if (path === '.' || !main) continue
  if (isOver) {
    rmSync(path, { recursive: true, force: true })
    continue
  }
  mkdirSync(path, { recursive: true })
  writeFileSync(`${path}/package.json`, JSON.stringify({ main: join('..', main), types: join('..', types) }))
}
