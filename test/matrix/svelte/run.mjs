// The Svelte recipe of docs/frameworks.md, built by Vite.
import { build } from 'vite'
import { lookAt, serveFolder, startWeavy } from '../chat-app.mjs'

await build({ logLevel: 'warn' })
const world = await startWeavy()
await lookAt(await serveFolder('dist', world), world)
process.exit()
