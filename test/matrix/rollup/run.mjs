// Rollup, which leaves `process.env` as it is: React brings its own, so only the page without React is run.
import commonjs from '@rollup/plugin-commonjs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import { checkPage, writePages } from '../bundled-pages.mjs'

writePages()
for (const page of ['page', 'react']) {
  const warnings = []
  const bundle = await rollup({
    input: `src/${page}.js`,
    plugins: [nodeResolve({ browser: true }), commonjs()],
    onwarn: ({ message }) => warnings.push(message),
  })
  await bundle.write({ file: `out/${page}.js`, format: 'iife' })
  // 'use client' belongs to the one file, and Rollup says that it drops it.
  const unexpected = warnings.filter((warning) => !warning.includes('"use client"'))
  if (unexpected.length) throw new Error(unexpected.join('\n'))
}
await checkPage('page', 'out/page.js')
