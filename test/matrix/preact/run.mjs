// Preact in React's place, through preact/compat: a provider that follows its user, and goes.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from 'esbuild'
import { Window } from 'happy-dom'

writeFileSync(
  'app.jsx',
  `
  import { createRoot } from 'react-dom/client'
  import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
  const Status = () => {
    const { status, token = '' } = useWeavyToken()
    return <p>{status} {token}</p>
  }
  const fetchToken = async ({ user }) => ({ access_token: 'wyu_of_' + user, expires_in: 3600 })
  const root = createRoot(document.body)
  export const show = (user) =>
    root.render(<WeavyTokenProvider fetchToken={fetchToken} user={user}><Status /></WeavyTokenProvider>)
  export const hide = () => root.unmount()`,
)
const window = new Window({ url: 'https://app.example/' })
Object.assign(globalThis, { window, document: window.document })
const shows = async (text) => {
  for (let n = 0; n < 200 && document.body.textContent !== text; n++) await pause(10)
  assert.equal(document.body.textContent, text)
}

for (const preact of ['preact', 'preact-11']) {
  const { metafile } = await build({
    entryPoints: ['app.jsx'],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    outfile: `${preact}.js`,
    metafile: true,
    alias: {
      preact,
      react: `${preact}/compat`,
      'react-dom/client': `${preact}/compat/client`,
      'react/jsx-runtime': `${preact}/jsx-runtime`,
    },
  })
  const used = Object.keys(metafile.inputs).filter((path) => path.startsWith('node_modules/preact'))
  assert.ok(used.length && used.every((path) => path.startsWith(`node_modules/${preact}/`)), used.join())

  const { show, hide } = await import(`./${preact}.js`)
  show('alice')
  await shows('ready wyu_of_alice')
  show('bob')
  await shows('ready wyu_of_bob')
  show(null)
  await shows('signed-out ')
  hide()
  await shows('')
}
await window.happyDOM.close()
