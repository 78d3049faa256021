import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SetupError } from '../../demo/environment.js'
import { serveDemo } from '../../demo/serve.js'
import type { Listening } from '../../demo/stand-in/listen.js'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'

const run = promisify(execFile)
const SERVER = new URL('../../demo/server.ts', import.meta.url).pathname

let demo: Listening
let weavy: StandInWeavy
beforeAll(async () => {
  demo = await serveDemo({ port: 0, environment: null })
  weavy = await createStandInWeavy()
})
afterAll(() => Promise.all([demo.close(), weavy.close()]))

describe('a demo that cannot start says why in one line', () => {
  const KEY = 'wys_made_up_for_this_test'
  test.each<[string, () => Record<string, string>, RegExp]>([
    [
      'its port is in use',
      () => ({ PORT: new URL(demo.url).port }),
      /^Port \d+ is in use\. .*PORT=\d+ npm run demo$/,
    ],
    ['its port is no number', () => ({ PORT: 'http' }), /^PORT must be a number/],
    ['the key is missing', () => ({ WEAVY_URL: weavy.url }), /^WEAVY_URL is set and WEAVY_APIKEY is not/],
    ['the URL is missing', () => ({ WEAVY_APIKEY: KEY }), /^WEAVY_APIKEY is set and WEAVY_URL is not/],
    [
      'the URL is none',
      () => ({ WEAVY_URL: 'acme', WEAVY_APIKEY: KEY }),
      /^WEAVY_URL or WEAVY_APIKEY is wrong: weavyUrl/,
    ],
    [
      'the key is none',
      () => ({ WEAVY_URL: weavy.url, WEAVY_APIKEY: 'secret' }),
      /^WEAVY_URL or WEAVY_APIKEY is wrong: apiKey/,
    ],
    ['Weavy refuses the key', () => ({ WEAVY_URL: weavy.url, WEAVY_APIKEY: KEY }), /gives no token \(502\)/],
    [
      'nothing answers',
      () => ({ WEAVY_URL: 'http://127.0.0.1:9', WEAVY_APIKEY: KEY }),
      /gives no token \(503\)/,
    ],
  ])('%s', async (_, variables, message) => {
    const env = { PATH: process.env.PATH, PORT: '0', ...variables() }
    const started = run(process.execPath, ['--import', 'tsx', SERVER], { env })
    const { code, stdout, stderr } = await started.then(
      () => ({ code: 0, stdout: '', stderr: '' }),
      (error) => error,
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trim()).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).not.toContain(KEY)
  })
})

test('pages that are not built are a reason too', async () => {
  const pages = await mkdtemp(join(tmpdir(), 'demo-'))
  const serving = serveDemo({ port: 0, environment: null, pages })
  await expect(serving).rejects.toThrow(SetupError)
  await expect(serving).rejects.toThrow(/not built.*npm run demo/)
  await rm(pages, { recursive: true })
})

describe('the controls of the server', () => {
  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    fetch(`${demo.url}/control/vanilla`, { method: 'POST', headers, body })

  test.each([
    ['null', 'null'],
    ['an unknown action', '{"do":"explode"}'],
    ['an unknown setting', '{"settings":{"port":1}}'],
    ['a lifetime that is not on offer', '{"settings":{"lifetimeSeconds":1}}'],
    ['somebody else', '{"settings":{"user":"admin"}}'],
    ['a broken body', '{'],
  ])('refuse %s', async (_, body) => {
    expect((await post(body)).status).toBe(400)
  })

  test('refuse what a page of another site could send', async () => {
    expect((await post('{"do":"revoke"}', { 'content-type': 'text/plain' })).status).toBe(415)
  })
})
