// The Angular recipe of docs/frameworks.md, with zone.js.
import { execFileSync } from 'node:child_process'
import { lookAt, serveFolder, startWeavy } from '../chat-app.mjs'

execFileSync('node_modules/.bin/ng', ['build', '--progress=false'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, NG_CLI_ANALYTICS: 'false' },
})
const world = await startWeavy()
await lookAt(await serveFolder('dist/browser', world), world, {
  whileShown: async (page) => {
    await page.getByRole('status').getByText('ready').waitFor()
  },
})
process.exit()
