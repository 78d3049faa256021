import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds the demo's pages as `npm run demo` does. They run the built library. */
export async function setup() {
  const vite = `${root}node_modules/vite/bin/vite.js`
  // Vitest's NODE_ENV would bring the React that is for development.
  const env = { ...process.env, NODE_ENV: 'production' }
  await promisify(execFile)(process.execPath, [vite, 'build', 'demo', '--logLevel', 'warn'], {
    cwd: root,
    env,
  })
}
