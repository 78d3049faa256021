import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** Builds the demo's pages, which run the built library. */
export async function setup() {
  await build({
    configFile: fileURLToPath(new URL('../../demo/vite.config.ts', import.meta.url)),
    logLevel: 'warn',
  })
}
