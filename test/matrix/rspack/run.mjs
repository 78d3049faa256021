// Rspack with its defaults, and Module Federation.
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { container, rspack } from '@rspack/core'
import { checkPage, writePages } from '../bundled-pages.mjs'
import { checkFederation } from '../federation.mjs'

const build = async (config) => {
  const stats = await promisify(rspack)({
    context: resolve('.'),
    output: { path: resolve('out') },
    // React's size is not what is tried here.
    performance: { hints: false },
    ...config,
  })
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString('errors-warnings'))
}

writePages()
for (const mode of ['development', 'production']) {
  await build({ mode, devtool: false, entry: { page: './src/page.js', react: './src/react.js' } })
  await checkPage('page', 'out/page.js')
  await checkPage('react', 'out/react.js')
}
await checkFederation(build, container.ModuleFederationPluginV1)
