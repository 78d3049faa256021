// The oldest Nodes that `engines` allows can require() and import what a server uses.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PROGRAM = `
  const { createTokenSource } = require('weavy-token')
  const { createTokenBroker, toUid } = require('weavy-token/broker')
  const weavy = async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 })
  const user = () => ({ uid: toUid(1) })
  const broker = createTokenBroker({ weavyUrl: 'https://weavy.example', apiKey: 'wys_1', user, fetch: weavy })
  const fetch = (...args) => broker.fetch(new Request(...args))
  const source = createTokenSource({ tokenUrl: 'https://app.example/api/token', fetch })
  const { createTokenSource: imported } = await import('weavy-token')
  console.log(process.version, await source.getToken(), imported === createTokenSource)`

for (const version of ['20.19', '22.12']) {
  const node = `node_modules/node-${version}/bin/node`
  if (!existsSync(node)) throw new Error('this folder needs Linux on x64')
  const printed = execFileSync(node, ['-e', `(async () => {${PROGRAM}})()`], { encoding: 'utf8' })
  if (printed !== `v${version}.0 wyu_1 true\n`) throw new Error(`Node ${version} printed ${printed}`)
}
