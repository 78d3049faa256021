// The recipes for Solid and for a custom element of docs/frameworks.md, built by Vite.
import { build } from 'vite'
import solid from 'vite-plugin-solid'
import { lookAt, serveFolder, startWeavy } from '../chat-app.mjs'

for (const [root, plugins] of [
  ['solid', [solid()]],
  ['element', []],
]) {
  await build({ root, plugins, logLevel: 'warn' })
  const world = await startWeavy()
  await lookAt(await serveFolder(`${root}/dist`, world), world)
}
process.exit()
