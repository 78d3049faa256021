// esbuild as an app uses it, without `define` for what is ours.
import { build } from 'esbuild'
import { checkPage, writePages } from '../bundled-pages.mjs'

writePages()
for (const minify of [false, true]) {
  await build({
    entryPoints: ['src/page.js', 'src/react.js'],
    bundle: true,
    minify,
    format: 'iife',
    outdir: 'out',
  })
  await checkPage('page', 'out/page.js')
  await checkPage('react', 'out/react.js')
}
