import { describe, expect, test } from 'vitest'
import { command, like, SESSION, serve, startWorld, weavy } from './world.js'

startWorld()

test('the command shows no secret, as text and as JSON: no session, no token, no query', async () => {
  const seen: string[] = []
  const url = await serve(async (request) => {
    seen.push(new URL(request.url).search)
    return Response.json({ access_token: 'wyu_5ecrettoken' })
  })
  for (const extra of [[], ['--json']]) {
    const { out, error } = await command(['check', url, '--header', `cookie: ${SESSION}`, ...extra])
    expect(out + error).not.toMatch(/5ecret|tenant/)
    expect(out).toMatch(/wyu_… \(#[\w-]{8}\)/)
  }
  expect(seen[0]).toBe('?tenant=7')
  expect(seen).toContain('?tenant=7&refresh=true')
})

test('findings are printed as JSON that a program reads', async () => {
  const { status, out } = await command(['check', await like('fallback page'), '--json'])
  expect(status).toBe(1)
  expect(out).toMatch(/^\{\n {2}"failed": 1,\n/)
  expect(out).toMatch(/\n\}\n$/)
  const { failed, warned, findings } = JSON.parse(out)
  expect({ failed, warned }).toEqual({ failed: 1, warned: 1 })
  expect(findings).toHaveLength(5)
  expect(findings[1]).toEqual({
    promise: 'The broker can be reached',
    result: 'ok',
    asked: 'GET /api/token',
    came: '200 text/html',
  })
})

test('there are colours only where they are wanted', async () => {
  const url = await like('fallback page')
  const { out } = await command(['check', url], true)
  expect(out).toContain('\u001b[32m✓\u001b[0m The broker can be reached')
  expect(out).toContain('\u001b[31m✗\u001b[0m It answers with a token')
  expect((await command(['check', url])).out).not.toContain('\u001b')
})

test('a broker is asked with every --header, and the token tried at --weavy-url', async () => {
  const seen: (string | null)[] = []
  const url = await serve(async ({ headers }) => {
    seen.push(headers.get('cookie'), headers.get('x-tenant'))
    return Response.json({ access_token: 'wyu_a' })
  })
  const given = ['--header', `cookie: ${SESSION}; a=b:c`, '--header', 'x-tenant:7', '--weavy-url', weavy.url]
  const { out } = await command(['check', url, ...given])
  expect(seen.slice(0, 2)).toEqual([`${SESSION}; a=b:c`, '7'])
  expect(out).toContain(`✗ Weavy takes the token: 401 (GET ${weavy.url}/api/user)`)
})

test('an --origin is named without its path', async () => {
  const url = await like('uid in the query')
  const { out } = await command(['check', url, '--origin', 'https://app.example/chat'])
  expect(out).toContain('(GET /api/token from https://app.example)')
})

describe('wrong usage', () => {
  const PASSWORD = "tokenUrl must be without a password, as for a page: --header 'authorization: …'"
  const HEADER = "--header must be 'name: value'"

  test.each([
    [[], 'The command is: check'],
    [['chekc', 'https://app.example'], 'The command is: check'],
    [['check'], 'Give one tokenUrl'],
    [['check', 'https://a.example', 'https://b.example'], 'Give one tokenUrl'],
    [['check', 'app.example'], 'tokenUrl must be a URL: https://…'],
    [['check', 'https://['], 'tokenUrl must be a URL: https://…'],
    [['check', 'ftp://app.example/https:'], 'tokenUrl must be a URL: https://…'],
    [['check', 'https://me@app.example'], PASSWORD],
    [['check', 'https://:5ecret@app.example'], PASSWORD],
    [['check', 'https://app.example', '--origin', 'app'], '--origin must be a URL: https://…'],
    [['check', 'https://app.example', '--weavy-url', 'acme'], '--weavy-url must be a URL: https://…'],
    [['check', 'https://app.example', '--header', 'cookie'], HEADER],
    [['check', 'https://app.example', '--header', ': sid=1'], HEADER],
    [['check', 'https://app.example', '--header', 'the cookie: sid=1'], HEADER],
    [['check', 'https://app.example', '--header', 'cookie: a\nb: c'], HEADER],
  ])('%j is told of, and is 2', async (args, message) => {
    const { status, out, error } = await command(args)
    expect(status).toBe(2)
    expect(out).toBe('')
    expect(error).toMatch(/\n\nUsage: weavy-token check <tokenUrl> \[options\]\n\n/)
    expect(error.split('\n')[0]).toBe(message)
  })

  test('an option that is not there is named', async () => {
    const { status, error } = await command(['check', 'https://app.example', '--verbose'])
    expect(status).toBe(2)
    expect(error).toMatch(/^.*--verbose.*\n\nUsage: /)
  })
})

test.each(['--help', '-h'])('%s explains the command', async (flag) => {
  const { status, out, error } = await command([flag])
  expect({ status, error }).toEqual({ status: 0, error: '' })
  expect(out).toMatchInlineSnapshot(`
    "Usage: weavy-token check <tokenUrl> [options]

    Asks a token broker as a page would, and prints what it promises and what it does not.

      --header 'name: value'  sent with each request, the session of a signed-in user: 'cookie: …' (may be repeated)
      --origin <origin>       an origin whose pages are to be served
      --weavy-url <url>       the Weavy environment, where the token is then tried
      --json                  prints findings as JSON

    Exit status: 0, 1 when something fails, 2 for wrong usage. No secret is printed.
    "
  `)
})
