// "A page without a bundler" of docs/recipes.md, under the Content-Security-Policy that stands there.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lookAt, serveFolder, startWeavy } from '../chat-app.mjs'

mkdirSync('out')
for (const [from, to] of [
  ['index.html', 'index.html'],
  ['page.js', 'page.js'],
  ['node_modules/@weavy/uikit-web/dist/build/weavy.js', 'weavy.js'],
  ['node_modules/weavy-token/dist/weavy-token.global.js', 'weavy-token.global.js'],
])
  copyFileSync(from, join('out', to))

const world = await startWeavy()
const recipes = readFileSync(join(process.env.WEAVY_TOKEN_ROOT, 'docs/recipes.md'), 'utf8')
const [, written = ''] = /^Content-Security-Policy: (.*)$/m.exec(recipes) ?? []
const policy = written
  .replaceAll('wss://your-environment.weavy.io', world.weavy.url.replace('http', 'ws'))
  .replaceAll('https://your-environment.weavy.io', world.weavy.url)
const url = await serveFolder('out', world, { 'content-security-policy': policy })
await lookAt(url, world)
process.exit()
