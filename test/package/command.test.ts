import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import packageJson from '../../package.json' with { type: 'json' }

const command = async (...args: string[]) => {
  const file = fileURLToPath(new URL(`../../${packageJson.bin['weavy-token']}`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { env: { ...process.env, FORCE_COLOR: '1' } })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += chunk
    })
  const [status] = await once(child, 'close')
  return { status, text }
}

test('the built command checks a broker, without colours where there is no terminal', async () => {
  const server = await listen(() => new Response('<html>', { headers: { 'content-type': 'text/html' } }))
  const { status, text } = await command('check', `${server.url}/api/token`)
  await server.close()
  expect(status).toBe(1)
  expect(text).toContain('✗ It answers with a token: 200 text/html')
  expect(text).not.toContain('\u001b')
  const gone = await command('check', server.url)
  expect(gone.status).toBe(1)
  expect(gone.text).toContain('✗ The broker can be reached: no answer (ECONNREFUSED)')
})

test('the built command tells wrong usage by 2', async () => {
  expect(await command('chekc')).toMatchObject({ status: 2, text: expect.stringContaining('Usage:') })
})
