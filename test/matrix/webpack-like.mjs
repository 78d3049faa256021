// What webpack and Rspack have to do, with their defaults and with Module Federation.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { checkPage, writePages } from './bundled-pages.mjs'

const FILES = {
  'remote-status.js': `
    import { useWeavyToken } from 'weavy-token/react'
    export const Status = () => useWeavyToken().status`,
  'host.js': `export const answer = () => import('./host-app.js').then((app) => app.answer)`,
  'host-app.js': `
    import { createElement } from 'react'
    import { renderToString } from 'react-dom/server'
    import { WeavyTokenProvider } from 'weavy-token/react'
    import { Status } from 'remote/status'
    const props = { tokenUrl: 'https://app.example/api/token' }
    export const answer = renderToString(createElement(WeavyTokenProvider, props, createElement(Status)))`,
}

/** `bundler` is what `webpack` or `rspack` exports. */
export async function checkBundler(bundler, ModuleFederationPlugin) {
  const build = async (config) => {
    const stats = await promisify(bundler)({
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
  await checkFederation(build, ModuleFederationPlugin)
}

/** A remote's component finds the provider of the host when the library is shared with its slash. */
async function checkFederation(build, ModuleFederationPlugin) {
  mkdirSync('src', { recursive: true })
  for (const [name, code] of Object.entries(FILES)) writeFileSync(`src/${name}`, code)
  // What an app's own package.json says, and what both tools take the wanted version from.
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
  const { version } = JSON.parse(readFileSync('node_modules/weavy-token/package.json', 'utf8'))
  manifest.dependencies['weavy-token'] = version
  writeFileSync('package.json', JSON.stringify(manifest))

  const render = async (directory, name) => {
    const shared = { react: { singleton: true }, [name]: { singleton: true } }
    const output = (part) => ({
      path: resolve(directory, part),
      library: { type: 'commonjs-module' },
      chunkFilename: '[name].cjs',
    })
    const common = { mode: 'production', devtool: false, target: 'async-node' }
    const remote = { name: 'remote', filename: 'remote.cjs', library: { type: 'commonjs-module' } }
    await build({
      ...common,
      entry: {},
      output: { ...output('remote'), uniqueName: 'remote' },
      plugins: [
        new ModuleFederationPlugin({ ...remote, exposes: { './status': './src/remote-status.js' }, shared }),
      ],
    })
    await build({
      ...common,
      entry: { host: './src/host.js' },
      output: { ...output('host'), filename: '[name].cjs', uniqueName: 'host' },
      plugins: [
        new ModuleFederationPlugin({
          name: 'host',
          remoteType: 'commonjs-module',
          remotes: { remote: resolve(directory, 'remote/remote.cjs') },
          shared,
        }),
      ],
    })
    return createRequire(import.meta.url)(resolve(directory, 'host/host.cjs')).answer()
  }
  assert.equal(await render('with-slash', 'weavy-token/'), 'empty')
  // Without it the remote has a React entry of its own.
  await assert.rejects(render('without-slash', 'weavy-token'), /found no provider/)
}
