import { describe, expect, test, vi } from 'vitest'
import { createAuthorizedFetch, type RefusedEvent, type RequestEvent } from '../src/index.js'
import { settle } from './settle.js'
import {
  byHand,
  byScript,
  fakeClocks,
  MINUTE,
  pass,
  SECOND,
  stubPage,
  token,
  unavailable,
  watch,
} from './world.js'

fakeClocks()

const heard = () => {
  const events: RequestEvent[] = []
  return { events, onRequest: (event: RequestEvent) => void events.push(event) }
}

describe('onRequest', () => {
  test('tells of each request why it was sent, how long it took, and how it failed', async () => {
    const page = stubPage()
    const { events, onRequest } = heard()
    let fails = false
    const { source } = byScript(
      async (n) => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        if (fails) throw unavailable()
        return token(n, 600)
      },
      { onRequest },
    )
    watch(source.getToken())
    await pass(9.5 * MINUTE)
    fails = true
    watch(source.getToken({ rejected: 'wyu_2' }))
    await pass(0.5 * SECOND)
    fails = false
    await pass(2 * SECOND)
    page.restore()
    await pass(SECOND)
    vi.setSystemTime(Date.now() + 60 * MINUTE)
    watch(source.getToken())
    await settle()
    await pass(SECOND)
    expect(events).toEqual([
      { reason: 'first', durationMs: 100 },
      { reason: 'ahead', durationMs: 100 },
      { reason: 'rejected', durationMs: 100, error: 'broker_error', status: 503, retryInMs: 950 },
      { reason: 'retry', durationMs: 100 },
      { reason: 'restored', durationMs: 100 },
      { reason: 'expired', durationMs: 100 },
    ])
  })

  test('holds no token, user or URL, whatever happens', async () => {
    const { events, onRequest } = heard()
    const { source } = byScript((n) => token(n), { onRequest, user: 'alice' })
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    expect(JSON.stringify(events)).not.toMatch(/wyu_|alice|http/)
    for (const event of events) expect(Object.keys(event).sort()).toEqual(['durationMs', 'reason'])
  })

  test('a listener that throws harms nobody: its error goes to reportError', async () => {
    const reportError = vi.fn()
    vi.stubGlobal('reportError', reportError)
    const broken = new Error('broken')
    const { source } = byScript((n) => token(n), {
      onRequest: () => {
        throw broken
      },
    })
    expect(await source.getToken()).toBe('wyu_1')
    await settle()
    expect(reportError).toHaveBeenCalledWith(broken)
  })

  test('a switch from inside it, when another request was about to follow: that is not sent', async () => {
    const onRequest = vi.fn(() => source.setUser('b'))
    const { source, requests } = byScript((n) => token(n, 0), { user: 'a', onRequest })
    await expect(source.getToken()).rejects.toMatchObject({ code: 'superseded' })
    await settle()
    expect(requests).toHaveLength(1)
    expect(source.getState()).toEqual({ status: 'empty' })
  })

  test('a switch from inside it leaves nothing of the old user', async () => {
    const { source } = byScript((n) => token(n), {
      user: 'a',
      onRequest: () => source.setUser('b'),
    })
    const seen = watch(source.getToken())
    await settle()
    expect(seen.outcome).toBe('superseded')
  })
})

describe('onRefused', () => {
  test.each<[string, (source: ReturnType<typeof byScript>['source'], refused: string) => Promise<unknown>]>([
    ['getToken()', (source, rejected) => source.getToken({ rejected })],
    ['a factory', (source) => source.tokenFactory(true)],
    [
      'an authorized fetch',
      (source) => {
        const fetch = async () => new Response(null, { status: 401 })
        return createAuthorizedFetch(source, { weavyUrl: 'https://weavy.example', fetch })('/api/user')
      },
    ],
  ])(
    'a switch from inside onRefused: what %s began is over, and the new user’s broker is not asked for it',
    async (_, refuse) => {
      const onRefused = vi.fn(() => source.setUser('bob'))
      const { source, requests } = byScript((n) => token(n), { user: 'alice', onRefused })
      const refused = await source.tokenFactory()
      await expect(refuse(source, refused)).rejects.toMatchObject({ code: 'superseded' })
      expect(onRefused).toHaveBeenCalledTimes(1)
      expect(requests.map(({ user }) => user)).not.toContain('bob')
    },
  )

  test('a listener that asks within onRefused is not given what was refused', async () => {
    let second: ReturnType<typeof watch> | undefined
    const onRefused = () => {
      second = watch(source.getToken())
    }
    const { source } = byScript((n) => token(n), { onRefused })
    await source.getToken({ rejected: await source.getToken() })
    await settle()
    expect(second?.outcome).toBe('wyu_2')
  })

  test('tells of refusals that the app and factories report', async () => {
    const events: RefusedEvent[] = []
    const { source } = byScript((n) => token(n), { onRefused: (event) => void events.push(event) })
    await source.getToken({ rejected: await source.getToken() })
    const factory = source.createTokenFactory()
    await factory()
    await factory(true)
    expect(events).toEqual([
      { status: 401, from: 'app' },
      { status: 401, from: 'uikit' },
    ])
  })
})

test.each(['onRequest', 'onRefused', 'fetch'])('an %s that is no function is a TypeError', (option) => {
  expect(() => byHand({ [option]: 'x' })).toThrow(new TypeError(`${option} must be a function`))
})

test('a promise that a script awaits keeps its process alive through an outage', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout')
  const { source } = byScript((n) => {
    if (n === 1) throw unavailable()
    return token(n)
  })
  const seen = watch(source.getToken())
  await settle()
  expect(timers.mock.results.at(-1)?.value.hasRef()).toBe(true)
  await pass(SECOND)
  expect(seen.outcome).toBe('wyu_2')
  expect(timers.mock.results.at(-1)?.value.hasRef()).toBe(false)
})
