import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import type { TokenBrokerOptions } from '../../src/broker/index.js'
import { createTestBroker, TOKEN_URL } from './ask.js'
import { API_KEY, createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

const UID = 'u-4711-private'
const quoting = `${API_KEY} wyu_quoted ${UID}`

const answers: Record<string, () => Response | Promise<Response>> = {
  'a token': () => Response.json({ access_token: 'wyu_good', expires_in: 60 }),
  'a refusal that quotes': () =>
    new Response(quoting, { status: 401, statusText: 'wys_', headers: { 'X-Key': API_KEY } }),
  'an outage that quotes': () => new Response(quoting, { status: 503, headers: { 'Retry-After': API_KEY } }),
  'a limit that quotes': () => new Response(quoting, { status: 429, headers: { 'Retry-After': UID } }),
  'a bad request that quotes': () => new Response(quoting, { status: 400 }),
  'a redirect': () =>
    new Response(quoting, { status: 307, headers: { Location: `https://evil.example/${API_KEY}` } }),
  'broken JSON that quotes': () => new Response(`{"access_token":"${quoting}`),
  'an API key': () => Response.json({ access_token: API_KEY, expires_in: 60 }),
  'a token that is none': () => Response.json({ access_token: quoting }),
  'a broken connection': () => Response.error(),
}

const users: Record<string, NonNullable<TokenBrokerOptions['user']>> = {
  'is there': () => ({ uid: UID, name: 'Ada' }),
  'throws, quoting': () => Promise.reject(new Error(quoting)),
  'throws with a quoting cause': () => Promise.reject(new Error('x', { cause: quoting })),
  'is badly named': () => ({ uid: `${UID} ${API_KEY}` }),
}

async function textOf(response: Response): Promise<string> {
  return `${response.status} ${response.statusText} ${inspect([...response.headers])} ${await response.text()}`
}

describe('neither key nor token nor user id is where it does not belong', () => {
  const cases = Object.keys(answers).flatMap((answer) =>
    Object.keys(users).map((user) => [answer, user] as const),
  )

  test.each(cases)('Weavy sends %s, the user %s', async (answer, user) => {
    const written: unknown[] = []
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...args) => void written.push(args)),
    )
    const stored = new Map<string, unknown>()
    weavy.next(...Array.from({ length: 6 }, () => answers[answer] ?? Response.error))
    const { broker } = createTestBroker({
      ...(users[user] && { user: users[user] }),
      store: stored,
      syncProfile: true,
      allowedOrigins: ['https://partner.example'],
      log: undefined,
    })

    const replies: string[] = []
    for (const query of ['', '?refresh=true']) {
      const headers = { Origin: 'https://partner.example' }
      replies.push(await textOf(await broker.fetch(new Request(`${TOKEN_URL}${query}`, { headers }))))
    }
    await broker.forget(UID)
    for (const spy of spies) spy.mockRestore()

    const log = inspect(written, { depth: 9, showHidden: true })
    expect(log).not.toMatch(/wys_|wyu_|4711|private/)
    const isServed = answer === 'a token' && user === 'is there'
    for (const reply of replies) {
      expect(reply).not.toMatch(/wys_the|4711|private|evil/)
      if (!isServed) expect(reply).not.toMatch(/wyu_/)
      else expect(reply.match(/wyu_/g)).toHaveLength(1)
    }
    expect(inspect([...stored], { depth: 9 })).not.toMatch(/wys_/)
    expect(inspect(broker, { depth: 9, showHidden: true })).not.toMatch(/wys_|wyu_|4711/)
    expect(JSON.stringify(broker)).toBe('{}')
    expect(weavy.calls.every(({ url }) => !url.includes('wys_'))).toBe(true)
  })
})

test('the key goes to weavyUrl alone, in the Authorization header alone', async () => {
  weavy.next(
    () => new Response(null, { status: 308, headers: { Location: 'https://acme.weavy.test/elsewhere' } }),
  )
  const { broker } = createTestBroker()
  await broker.fetch(new Request(TOKEN_URL))
  await broker.fetch(new Request(TOKEN_URL))
  expect(weavy.calls.map(({ url }) => new URL(url).pathname)).toEqual(Array(2).fill('/api/users/u256/tokens'))
  for (const { headers, body } of weavy.calls) {
    const holding = [...headers].filter(([, value]) => value.includes(API_KEY))
    expect(holding).toEqual([['authorization', `Bearer ${API_KEY}`]])
    expect(JSON.stringify(body)).not.toContain(API_KEY)
  }
})
