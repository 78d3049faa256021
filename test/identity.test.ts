import { describe, expect, test, vi } from 'vitest'
import { internalsOf } from '../src/internals.js'
import { digestOf } from '../src/wire.js'
import { settle } from './settle.js'
import { byScript, fakeClocks, HOUR, pass, SECOND, stubPage, watch } from './world.js'

fakeClocks()

/** A broker that answers for whoever the cookie says, and names the user. */
function byCookie(options: Parameters<typeof byScript>[1] = {}, life = 600) {
  const session = { cookie: 'alice', knowsSub: true }
  const world = byScript(
    (n) => ({
      access_token: `wyu_${session.cookie}_${n}`,
      expires_in: life,
      ...(session.knowsSub && { sub: `sub-${session.cookie}` }),
    }),
    { user: 'alice', ...options },
  )
  return { ...world, session }
}

/** Whose token a call brought, or the code of its error. */
const owner = (outcome: string) => /^wyu_(\w+)_\d+$/.exec(outcome)?.[1] ?? outcome

describe('a session that becomes somebody else’s', () => {
  test('the old token serves while it lives, then the user is signed out; one failure, and never the other’s token', async () => {
    const { source, session, states } = byCookie()
    await source.getToken()
    session.cookie = 'bob'
    for (let at = 0; at < 600; at += 10) {
      await pass(10 * SECOND)
      const seen = watch(source.getToken())
      await settle()
      expect(['alice', 'other_user']).toContain(owner(seen.outcome))
    }
    await pass(SECOND)
    expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready', 'stale', 'signed-out'])
    expect(states.at(-1)).toMatchObject({ error: { code: 'other_user' } })
  })

  test('a sub that the app learns later proves a token foreign that was believed', async () => {
    const { source, session, states, requests } = byCookie()
    session.cookie = 'bob'
    expect(owner(await source.getToken())).toBe('bob')
    const waiting = watch(source.getToken({ minValidityMs: HOUR }))
    source.setUser('alice', 'sub-alice')
    expect(source.getState()).toEqual({ status: 'empty' })
    session.cookie = 'alice'
    expect(owner(await source.getToken())).toBe('alice')
    expect(waiting.outcome).toBe('superseded')
    // What it says of the token that is there changes nothing.
    source.setUser('alice', 'sub-alice')
    expect(states.at(-1)).toMatchObject({ status: 'ready' })
    expect(requests).toHaveLength(3)
  })

  test('heals by itself when the session is the user’s again', async () => {
    const page = stubPage()
    const { source, session } = byCookie()
    const token = await source.getToken()
    session.cookie = 'bob'
    await expect(source.getToken({ rejected: token })).rejects.toMatchObject({ code: 'other_user' })
    session.cookie = 'alice'
    page.show()
    await pass(30 * SECOND)
    expect(source.getState()).toMatchObject({ status: 'ready', token: expect.stringContaining('alice') })
  })

  test.each([
    ['setUser() of the other', (source: ReturnType<typeof byCookie>['source']) => source.setUser('bob')],
    ['clear()', (source: ReturnType<typeof byCookie>['source']) => source.clear()],
  ])('%s goes on at once', async (_, goOn) => {
    const { source, session } = byCookie()
    const token = await source.getToken()
    session.cookie = 'bob'
    watch(source.getToken({ rejected: token }))
    await settle()
    goOn(source)
    expect(owner(await source.getToken())).toBe('bob')
  })

  test('an answer without a sub is accepted and forgets nothing', async () => {
    const { source, session } = byCookie()
    const first = await source.getToken()
    session.knowsSub = false
    const second = await source.getToken({ rejected: first })
    expect(owner(second)).toBe('alice')
    session.knowsSub = true
    session.cookie = 'bob'
    await expect(source.getToken({ rejected: second })).rejects.toMatchObject({ code: 'other_user' })
  })

  test('the option sub checks the very first answer, as does that of a switch, also after clear()', async () => {
    const { source, session, requests } = byCookie({ sub: 'sub-alice' })
    session.cookie = 'bob'
    await expect(source.getToken()).rejects.toMatchObject({ code: 'other_user' })
    expect(requests[0]?.sub).toBe('sub-alice')
    source.clear()
    await expect(source.getToken()).rejects.toMatchObject({ code: 'other_user' })
    source.setUser('bob', 'sub-bob')
    expect(owner(await source.getToken())).toBe('bob')
    session.cookie = 'carol'
    source.clear()
    await expect(source.getToken()).rejects.toMatchObject({ code: 'other_user' })
  })
})

describe('without a user', () => {
  test('another sub is a switch: callers and session of the old user end, the new token is handed out', async () => {
    const { source, session } = byCookie({ user: undefined })
    const { session: sessionOf } = internalsOf(source)
    const first = await source.getToken()
    const before = sessionOf()
    session.cookie = 'bob'
    const seen = watch(source.getToken({ rejected: first }))
    await settle()
    expect(seen.outcome).toBe('superseded')
    expect(before.signal.aborted).toBe(true)
    expect(before.over).toMatchObject({ code: 'superseded' })
    expect(owner(await source.getToken())).toBe('bob')
  })

  test('the next refresh follows as well, and costs one request', async () => {
    const { source, session, requests } = byCookie({ user: undefined })
    await source.getToken()
    session.cookie = 'bob'
    await pass(590 * SECOND)
    expect(owner(await source.getToken())).toBe('bob')
    expect(requests).toHaveLength(2)
  })
})

describe('every order of a cookie that changes, setUser() and two requests', () => {
  const acts = ['cookie', 'setUser', 'ask', 'askAgain'] as const
  const orders = (rest: readonly string[]): string[][] =>
    rest.length
      ? rest.flatMap((one) => orders(rest.filter((other) => other !== one)).map((more) => [one, ...more]))
      : [[]]

  test.each(orders(acts).map((order) => [order.join(', '), order] as const))('%s', async (_, order) => {
    const { source, session } = byCookie()
    await source.getToken()
    let user = 'alice'
    for (const act of order) {
      if (act === 'cookie') session.cookie = 'bob'
      else if (act === 'setUser') {
        user = 'bob'
        source.setUser('bob')
      } else {
        const state = source.getState()
        const seen = watch(source.getToken('token' in state ? { rejected: state.token } : undefined))
        await settle()
        expect([user, 'other_user']).toContain(owner(seen.outcome))
      }
    }
    // Bob is not locked out.
    await pass(30 * SECOND)
    expect(owner(await source.getToken())).toBe('bob')
  })
})

test('a page that comes back from the back/forward cache hands out nothing before the broker was asked', async () => {
  const page = stubPage()
  const { source, session, requests } = byCookie()
  await source.getToken()
  session.cookie = 'bob'
  page.restore()
  expect(source.getState().status).toBe('fetching')
  const seen = watch(source.getToken())
  await settle()
  expect(seen.outcome).toBe('other_user')
  expect(requests).toHaveLength(2)
  expect(requests[1]?.refresh).toBe(false)
})

test('so does one whose own listener asks before the source has heard of it: one request for both', async () => {
  const page = stubPage()
  const { source, session, requests } = byCookie()
  await source.getToken()
  page.store()
  await pass(HOUR)
  expect(requests).toHaveLength(1)
  session.cookie = 'bob'
  const early = watch(source.getToken())
  page.restore()
  await settle()
  expect(early.outcome).toBe('other_user')
  expect(requests).toHaveLength(2)
  expect(source.getState().status).toBe('signed-out')
})

test('a page that comes back while nobody asked yet asks nobody', async () => {
  const page = stubPage()
  const { source, requests } = byCookie()
  page.restore()
  await pass(HOUR)
  expect(requests).toHaveLength(0)
  expect(source.getState().status).toBe('empty')
})

describe('held and refused', () => {
  /** Until the platform has made what digests it was asked for, this one last. */
  const made = async () => {
    await digestOf('')
    await digestOf('')
  }

  test('ahead of expiry the digest of the token that came last is in the request', async () => {
    const { source, requests } = byCookie()
    await source.getToken()
    await made()
    await pass(590 * SECOND)
    expect(requests[1]).toMatchObject({ refresh: true, refused: undefined })
    expect(requests[1]?.held).toMatch(/^[\w-]{22}$/)
  })

  test('after a refusal the digest of the refused token is, and the token itself for a fetchToken', async () => {
    const { source, requests } = byCookie()
    const token = await source.getToken()
    await made()
    await source.getToken({ rejected: token })
    expect(requests[1]).toMatchObject({ refresh: true, rejected: token, held: undefined })
    expect(requests[1]?.refused).toMatch(/^[\w-]{22}$/)
  })

  test.each([{}, undefined])('without crypto.subtle both are left out: crypto is %j', async (crypto) => {
    vi.stubGlobal('crypto', crypto)
    const { source, requests } = byCookie()
    const token = await source.getToken()
    await made()
    await source.getToken({ rejected: token })
    expect(requests[1]).toMatchObject({ held: undefined, refused: undefined, rejected: token })
  })

  test('a broker that gives back what was refused before is told so at once: two requests, no loop', async () => {
    const answers = ['wyu_1', 'wyu_2', 'wyu_1', 'wyu_3']
    const { source, requests } = byScript((n) => ({ access_token: answers[n - 1], expires_in: 3600 }))
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    expect(await source.getToken({ rejected: 'wyu_2' })).toBe('wyu_3')
    expect(requests.map(({ rejected }) => rejected)).toEqual([undefined, 'wyu_1', 'wyu_2', 'wyu_1'])
  })
})

test('users are compared as strings, so a number that becomes its text is no switch', async () => {
  const { source, states } = byCookie({ user: 5 })
  await source.getToken()
  source.setUser('5')
  expect(states.map(({ status }) => status)).toEqual(['fetching', 'ready'])
})
