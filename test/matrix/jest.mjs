// The examples of docs/testing.md in Jest, with the configuration that the page gives.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { writeExamples } from './documented.mjs'

export function checkJest() {
  writeExamples('testing', /^jest\.config/)
  const presets = [
    '@babel/preset-env',
    ['@babel/preset-react', { runtime: 'automatic' }],
    '@babel/preset-typescript',
  ]
  writeFileSync('babel.config.json', JSON.stringify({ presets }))
  // jsdom of Jest has no fetch, so MSW would need more than this library does.
  const adapt = (code) => code.replace(/^import .* from 'vitest'\n/m, '').replaceAll('vi.mock', 'jest.mock')
  const paths = writeExamples('testing', /^src\/(status|chat)\./, adapt)
  const tests = paths.filter((path) => path.includes('.test.'))
  writeFileSync('src/source.test.js', SOURCE)
  const args = ['node_modules/jest/bin/jest.js', '--ci', ...tests, 'src/source.test.js']
  execFileSync(process.execPath, args, { stdio: 'inherit' })
}

const SOURCE = `
import { createTokenSource, isTokenError } from 'weavy-token'

it('a source has a token, replaces it when it is refused, and lets a caller go', async () => {
  let issued = 0
  const json = async () => ({ access_token: 'wyu_' + ++issued, expires_in: 3600 })
  const source = createTokenSource({ fetchToken: json })
  const first = await source.getToken()
  expect(await source.getToken({ rejected: first })).toBe('wyu_2')
  const abort = new AbortController()
  abort.abort()
  await expect(source.getToken({ signal: abort.signal, rejected: 'wyu_2' })).rejects.toBeDefined()
  source.close()
  await expect(source.getToken()).rejects.toMatchObject({ name: 'TokenError', code: 'closed' })
  expect(isTokenError(await source.getToken().catch((error) => error))).toBe(true)
})
`
