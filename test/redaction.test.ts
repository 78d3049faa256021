import { inspect } from 'node:util'
import { expect, test, vi } from 'vitest'
import { TokenError } from '../src/index.js'
import { settle } from './settle.js'
import { byScript, fakeClocks, HOUR, pass, SECOND, token, watch } from './world.js'

fakeClocks()

const SECRET = 'wyu_5ecret'
const USER = 'user-4711'

/** Everything that a log, an error tracker or a debugger could make of a value. */
const exposed = (value: unknown): string =>
  [
    String(value),
    JSON.stringify(value),
    inspect(value, { showHidden: true, depth: Number.POSITIVE_INFINITY, getters: true }),
    value instanceof Error ? [value.message, value.stack, exposed(value.cause)].join() : '',
  ].join('\n')

test('neither token nor user id shows in a source, its factories or its functions', async () => {
  const { source } = byScript(() => ({ access_token: SECRET, expires_in: 3600 }), { user: USER })
  await source.getToken()
  const factory = source.createTokenFactory()
  await factory()
  for (const value of [source, factory, ...Object.values(source)]) {
    expect(exposed(value)).not.toContain(SECRET)
    expect(exposed(value)).not.toContain(USER)
  }
})

const failures: [string, (n: number) => unknown][] = [
  ['an API key', () => ({ access_token: 'wys_5ecret' })],
  ['another kind of token', () => ({ access_token: '5ecret' })],
  ['expired on arrival', () => ({ access_token: SECRET, expires_in: 0 })],
  ['the same token again', () => ({ access_token: SECRET, expires_in: 3600 })],
  ['an answer that is not JSON', () => JSON.parse(`${SECRET} is not JSON`)],
  [
    'an error that quotes the answer in its message',
    () => {
      throw new Error(`unexpected answer: ${SECRET}`)
    },
  ],
  [
    'a string',
    () => {
      throw `unexpected answer: ${SECRET}`
    },
  ],
]

test.each(failures)('%s: the error shows nothing of it', async (_, answer) => {
  const { source } = byScript(answer, { user: USER })
  watch(source.getToken())
  await settle()
  const seen = watch(source.getToken({ rejected: SECRET }))
  await pass(20 * SECOND)
  expect(seen.error).toBeInstanceOf(TokenError)
  expect(exposed(seen.error)).not.toContain('5ecret')
  expect(exposed(seen.error)).not.toContain(USER)
  const state = source.getState()
  expect('error' in state && exposed(state.error)).not.toContain('5ecret')
})

test('superseded and closed show neither token nor user', async () => {
  const { source } = byScript(() => new Promise(() => {}), { user: USER })
  const superseded = watch(source.getToken({ rejected: SECRET }))
  source.setUser(null)
  const closed = watch(source.getToken())
  source.close()
  await settle()
  for (const { error } of [superseded, closed]) {
    expect(error).toBeInstanceOf(TokenError)
    expect(exposed(error)).not.toContain('5ecret')
    expect(exposed(error)).not.toContain(USER)
  }
})

test('the original error is kept as the cause while it quotes nothing', async () => {
  const broken = new Error('session service is down')
  const { source } = byScript(() => {
    throw broken
  })
  const seen = watch(source.getToken())
  await pass(20 * SECOND)
  expect(seen.error).toMatchObject({ code: 'unreachable', cause: broken })
})

test.each([undefined, null, 0, Symbol('down'), Object.create(null)])(
  'whatever fetchToken throws becomes a TokenError (%#)',
  async (thrown) => {
    const { source } = byScript(() => {
      throw thrown
    })
    const seen = watch(source.getToken())
    await pass(20 * SECOND)
    expect(seen.error).toMatchObject({ name: 'TokenError', code: 'unreachable' })
  },
)

test('a TokenError of fetchToken is kept as it is', async () => {
  const mine = new TokenError('signed_out', 'The licence has ended.')
  const { source } = byScript(() => {
    throw mine
  })
  const seen = watch(source.getToken())
  await settle()
  expect(seen.error).toBe(mine)
})

test('nothing is left on the global object or in the console', async () => {
  const names = new Set(Reflect.ownKeys(globalThis))
  const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name))
  const { source } = byScript((n) => token(n))
  await source.getToken()
  await pass(3 * HOUR)
  for (const spy of spies) expect(spy).not.toHaveBeenCalled()
  expect(Reflect.ownKeys(globalThis).filter((name) => !names.has(name))).toEqual([])
})
