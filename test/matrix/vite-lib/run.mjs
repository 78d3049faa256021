// Vite's lib mode, which leaves `process.env` as it is: a design system that holds this library.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { build } from 'vite'
import { checkPage, writePages } from '../bundled-pages.mjs'

writePages()
for (const format of ['iife', 'es']) {
  const lib = { entry: 'src/page.js', formats: [format], name: 'page', fileName: () => `${format}.js` }
  await build({ logLevel: 'error', configFile: false, build: { lib, outDir: 'out', emptyOutDir: false } })
}
await checkPage('page', 'out/iife.js')
assert.doesNotMatch(readFileSync('out/es.js', 'utf8'), /process\.env/)
