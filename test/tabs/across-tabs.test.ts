import { describe, expect, test, vi } from 'vitest'
import { createTokenSource, type TokenRequest } from '../../src/index.js'
import { type Session, withSession } from '../../src/internals.js'
import { acrossTabs } from '../../src/tabs/index.js'
import { FIRST_WAIT_MS, GIVE_MS } from '../../src/tabs/room.js'
import { settle } from '../settle.js'
import { fakeClocks, HOUR, pass, SECOND, watch } from '../world.js'
import { modelWorld, synchronousDigests } from './world.js'

fakeClocks()
synchronousDigests()

type World = ReturnType<typeof modelWorld>
type OpenTab = ReturnType<World['openTab']>

const many = <T>(n: number, make: (n: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const closeAll = (...tabs: OpenTab[]) => {
  for (const { source } of tabs) source.close()
}
const ask = (tabs: OpenTab[]) => tabs.map((tab) => watch(tab.token()))

/** Tabs that all hold the first token. */
async function together(world: World, n: number) {
  const tabs = many(n, () => world.openTab())
  const seen = ask(tabs)
  await settle()
  await pass(SECOND)
  expect(seen.map(({ outcome }) => outcome)).toEqual(many(n, () => 'wyu_alice_1'))
  return tabs
}

describe('one asks', () => {
  test('four tabs that start together cost three broker requests in two lifetimes', async () => {
    const world = modelWorld()
    const tabs = await together(world, 4)
    expect(world.seen).toHaveLength(1)
    await pass(2 * HOUR)
    expect(world.seen).toHaveLength(3)
    expect(new Set(await Promise.all(tabs.map((tab) => tab.token()))).size).toBe(1)
    closeAll(...tabs)
  })

  test('four tabs that start seconds apart cost three broker requests in two lifetimes', async () => {
    const world = modelWorld()
    const tabs: OpenTab[] = []
    for (let n = 0; n < 4; n++) {
      const tab = world.openTab()
      tabs.push(tab)
      const seen = watch(tab.token())
      await settle()
      await pass(7 * SECOND)
      expect(seen.outcome).toBe('wyu_alice_1')
    }
    expect(world.seen).toHaveLength(1)
    await pass(2 * HOUR)
    expect(world.seen).toHaveLength(3)
    closeAll(...tabs)
  })

  test('a tab that is opened beside others has a token without a broker request', async () => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    world.broker.delayMs = SECOND
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(10)
    expect(seen.outcome).toBe('wyu_alice_1')
    expect(world.seen).toHaveLength(1)
    closeAll(...tabs, newcomer)
  })

  test('a tab that is alone asks at once', async () => {
    const world = modelWorld()
    const tab = world.openTab()
    watch(tab.token())
    await settle()
    await pass(2)
    expect(world.seen).toHaveLength(1)
    closeAll(tab)
  })

  test('all tokens revoked: eight tabs that refuse at once cost one broker request, and all are answered', async () => {
    const world = modelWorld()
    const tabs = await together(world, 8)
    world.broker.delayMs = 500
    const seen = tabs.map((tab) => watch(tab.source.getToken({ rejected: 'wyu_alice_1' })))
    await settle()
    await pass(SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(many(8, () => 'wyu_alice_2'))
    expect(world.seen).toHaveLength(2)
    closeAll(...tabs)
  })

  test('all tokens revoked after a rotation: no tab that refuses the old one is given another dead one', async () => {
    const world = modelWorld()
    const [rotates, ...stay] = (await together(world, 3)) as [OpenTab, ...OpenTab[]]
    const rotated = watch(rotates.ask({ minValidityMs: HOUR - 1 }))
    await settle()
    await pass(SECOND)
    expect(rotated.outcome).toBe('wyu_alice_2')
    const seen = stay.map((tab) => watch(tab.ask({ rejected: 'wyu_alice_1' })))
    await settle()
    await pass(SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(['wyu_alice_3', 'wyu_alice_3'])
    expect(world.seen).toHaveLength(3)
    // What was asked for after the refusal is taken by whoever refuses later, also from a tab that took it.
    for (const tab of stay) if (world.seen.at(-1)?.tab.browser === tab.browser) tab.source.close()
    const last = watch(rotates.ask({ rejected: 'wyu_alice_2' }))
    await settle()
    await pass(SECOND)
    expect(last.outcome).toBe('wyu_alice_3')
    expect(world.seen).toHaveLength(3)
    closeAll(rotates, ...stay)
  })

  test('a token that a tab refuses is not taken from one that still holds it, nor an older one', async () => {
    const world = modelWorld()
    const [first, second] = (await together(world, 2)) as [OpenTab, OpenTab]
    for (const rejected of ['wyu_alice_1', 'wyu_alice_2', 'wyu_alice_3']) {
      const seen = watch(second.source.getToken({ rejected }))
      await settle()
      await pass(10 * SECOND)
      expect(seen.outcome).toMatch(/^wyu_alice_[234]$/)
    }
    expect(world.seen).toHaveLength(4)
    expect(first.source.getState()).toMatchObject({ token: 'wyu_alice_1' })
    closeAll(first, second)
  })

  test('a token is not said again to a tab that has it and wants another one', async () => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    watch((tabs[1] as OpenTab).ask({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(SECOND)
    const said = world.messages.map((message) => Object(message).access_token).filter(Boolean)
    expect(said).toEqual(['wyu_alice_1', 'wyu_alice_2'])
    closeAll(...tabs)
  })

  test('who wants a newer token does not take the one it has when that is given to a newcomer', async () => {
    const world = modelWorld()
    const [rotates, holder] = (await together(world, 2)) as [OpenTab, OpenTab]
    const newcomer = world.openTab()
    const rotated = watch(rotates.ask({ minValidityMs: HOUR - 1 }))
    const given = watch(newcomer.token())
    await settle()
    await pass(SECOND)
    expect(given.outcome).toBe('wyu_alice_1')
    expect(rotated.outcome).toBe('wyu_alice_2')
    expect(world.seen).toHaveLength(2)
    closeAll(rotates, holder, newcomer)
  })

  test.each([
    [4096, 1],
    [4097, 2],
  ])('a token of %i characters costs two tabs %i broker requests', async (length, requests) => {
    const world = modelWorld()
    const token = 'wyu_'.padEnd(length, 'x')
    world.broker.answer = async () => ({ access_token: token, expires_in: 3600 })
    const tabs = [world.openTab(), world.openTab()]
    const seen = ask(tabs)
    await settle()
    await pass(SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual([token, token])
    expect(world.seen).toHaveLength(requests)
    closeAll(...tabs)
  })

  test('a refused token that the broker repeats is not shared as a newer one', async () => {
    const world = modelWorld()
    const [first, second] = (await together(world, 2)) as [OpenTab, OpenTab]
    world.broker.answer = async () => ({ access_token: 'wyu_alice_1', expires_in: 60 })
    watch(first.source.getToken({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(10)
    await pass(400)
    world.broker.answer = undefined
    const seen = watch(second.source.getToken({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_alice_2')
    expect(Object(first.source.getState()).token).not.toBe('wyu_alice_1')
    expect(JSON.stringify(world.messages)).not.toMatch(/give":\[.+\].*wyu_alice_1.*wyu_alice_1/)
    closeAll(first, second)
  })

  test('a token that its holder has refused is not given to a newcomer, however long the broker is down', async () => {
    const world = modelWorld()
    const [holder] = (await together(world, 1)) as [OpenTab]
    world.broker.answer = () => Promise.reject(new TypeError('fetch failed'))
    watch(holder.ask({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(5 * SECOND)
    world.broker.answer = undefined
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_alice_2')
    closeAll(holder, newcomer)
  })

  test('whoever the user is: no name of a lock is one that browsers refuse', async () => {
    for (let n = 0; n < 200; n++) {
      const world = modelWorld()
      const tabs = [world.openTab(n), world.openTab(n)]
      const seen = ask(tabs)
      await settle()
      await pass(150)
      expect(seen[0]?.outcome).toMatch(/^wyu/)
      expect([n, world.seen.length]).toEqual([n, 1])
      closeAll(...tabs)
    }
  })

  test('a token without a lifetime is shared, too', async () => {
    const world = modelWorld()
    world.broker.lifeS = undefined
    const tabs = await together(world, 3)
    expect(world.seen).toHaveLength(1)
    expect(tabs[2]?.source.getState()).toMatchObject({ status: 'ready', expiresAt: null })
    closeAll(...tabs)
  })

  test('several sources of one page share as tabs do', async () => {
    const world = modelWorld()
    const tab = world.openTab()
    const other = createTokenSource({ fetchToken: tab.across, user: 'alice' })
    const seen = [watch(tab.token()), watch(other.getToken())]
    await settle()
    await pass(SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(['wyu_alice_1', 'wyu_alice_1'])
    expect(world.seen).toHaveLength(1)
    other.close()
    const newcomer = world.openTab()
    const third = watch(newcomer.token())
    await settle()
    await pass(10)
    expect(third.outcome).toBe('wyu_alice_1')
    closeAll(tab, newcomer)
  })
})

describe('a tab that asks and does not answer', () => {
  /** Twenty tabs without a token; the first one asks. */
  async function behind(world: World) {
    const tabs = many(20, () => world.openTab())
    const [first, ...others] = tabs as [OpenTab, ...OpenTab[]]
    watch(first.token())
    await settle()
    await pass(5)
    expect(world.seen).toHaveLength(1)
    const seen = ask(others)
    await settle()
    return { tabs, first, others, seen }
  }
  const answered = (seen: { outcome: string }[]) => seen.filter(({ outcome }) => outcome !== 'pending').length

  test('is frozen: the others have a token within a second, by one more request', async () => {
    const world = modelWorld()
    const { tabs, first, seen } = await behind(world)
    first.freeze()
    await pass(SECOND)
    expect(answered(seen)).toBe(19)
    expect(world.seen).toHaveLength(2)
    first.thaw()
    await pass(SECOND)
    closeAll(...tabs)
  })

  test('waits for a slow broker: two requests, and all have what comes first', async () => {
    const world = modelWorld()
    world.broker.delayMs = 1500
    const { tabs, seen } = await behind(world)
    await pass(1510)
    expect(answered(seen)).toBe(19)
    expect(world.seen).toHaveLength(2)
    closeAll(...tabs)
  })

  test('waits for a slow broker whose second answer nobody stops: the token that all have is given on', async () => {
    const world = modelWorld()
    let asked = 0
    const fetchToken = () => {
      const answer = { access_token: `wyu_${++asked}`, expires_in: 3600 }
      return new Promise<typeof answer>((resolve) => setTimeout(resolve, 1500, answer))
    }
    const [first, second] = [world.openTab('alice', { fetchToken }), world.openTab('alice', { fetchToken })]
    const seen = ask([first, second])
    await settle()
    await pass(3 * SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(['wyu_1', 'wyu_1'])
    expect(asked).toBe(2)
    closeAll(first)
    const newcomer = world.openTab('alice', { fetchToken })
    const third = watch(newcomer.token())
    await settle()
    await pass(10)
    expect(third.outcome).toBe('wyu_1')
    closeAll(second, newcomer)
  })

  test.each(['close', 'hide'] as const)('%s: the next one asks at once', async (end) => {
    const world = modelWorld()
    const { tabs, first, seen } = await behind(world)
    first[end]()
    await settle()
    await pass(120)
    expect(answered(seen)).toBe(19)
    expect(world.seen).toHaveLength(2)
    closeAll(...tabs)
  })

  test('hangs at the broker: the others ask once more', async () => {
    const world = modelWorld()
    world.broker.answer = () => new Promise(() => {})
    const { tabs, seen } = await behind(world)
    await pass(150)
    world.broker.answer = undefined
    await pass(FIRST_WAIT_MS)
    expect(answered(seen)).toBe(19)
    expect(world.seen).toHaveLength(2)
    closeAll(...tabs)
  })

  test.each([
    ['a time-out shorter than the first wait', 1, { timeoutMs: FIRST_WAIT_MS - 80 }],
    ['four that hang, and the time-out that is the default', 4, {}],
  ])('hangs, %s: each attempt goes on from where the one before had come', async (_, stuck, times) => {
    const world = modelWorld()
    world.broker.answer = () => new Promise(() => {})
    const hanging = many(stuck, () => world.openTab('alice', {}, { timeoutMs: HOUR, maxWaitMs: HOUR }))
    for (const tab of hanging) {
      watch(tab.token())
      await settle()
      await pass(FIRST_WAIT_MS * 2 ** stuck)
    }
    expect(world.seen).toHaveLength(stuck)
    world.broker.answer = undefined
    const tabs = many(3, () => world.openTab('alice', {}, times))
    const seen = ask(tabs)
    await settle()
    await pass(15 * SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(many(3, () => 'wyu_alice_1'))
    expect(world.seen).toHaveLength(stuck + 1)
    closeAll(...tabs, ...hanging)
  })

  test('fails: its caller is told as soon as the broker has answered', async () => {
    const world = modelWorld()
    world.broker.answer = () => Promise.reject(new TypeError('fetch failed'))
    const tab = world.openTab('alice', {}, { maxWaitMs: 0 })
    const seen = watch(tab.token())
    await settle()
    await pass(world.broker.delayMs + 5)
    expect(seen.outcome).toBe('unreachable')
    closeAll(tab)
  })

  test('fails: the next one asks, and each has its own failure or a token', async () => {
    const world = modelWorld()
    let failures = 0
    world.broker.answer = async () => {
      if (++failures === 3) world.broker.answer = undefined
      throw new TypeError('fetch failed')
    }
    const { tabs, others } = await behind(world)
    await pass(5 * SECOND)
    expect(others.every(({ source }) => source.getState().status === 'ready')).toBe(true)
    closeAll(...tabs)
  })

  test('a holder that is frozen delays a newcomer by no more than the time in which tokens are given', async () => {
    const world = modelWorld()
    const [holder] = (await together(world, 1)) as [OpenTab]
    holder.freeze()
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(GIVE_MS + 100 + 5)
    expect(seen.outcome).toBe('wyu_alice_2')
    holder.thaw()
    closeAll(holder, newcomer)
    await pass(SECOND)
  })
})

describe('never across', () => {
  const twoOf = async (world: World, one: OpenTab, other: OpenTab) => {
    const seen: { outcome: string }[] = []
    for (const tab of [one, other]) {
      seen.push(watch(tab.token()))
      await settle()
      await pass(SECOND)
    }
    expect(world.seen).toHaveLength(2)
    expect(seen[0]?.outcome).not.toBe(seen[1]?.outcome)
    closeAll(one, other)
  }

  test.each([
    ['two users', 'alice', 'bob'],
    ["'5' and 5", '5', 5],
    ['users that nobody named', undefined, undefined],
  ] as const)('%s', async (_, one, other) => {
    const world = modelWorld()
    // Not the default of the parameter.
    const open = (user: string | number | undefined) => {
      const tab = world.openTab()
      tab.source.setUser(user)
      return tab
    }
    await twoOf(world, open(one), open(other))
  })

  test('two tenants', async () => {
    const world = modelWorld()
    await twoOf(world, world.openTab('alice', { scope: 'a' }), world.openTab('alice', { scope: 'b' }))
  })

  test.each<[string, string, string, string | undefined, string]>([
    ['two brokers', 'https://b.example/token', '/', undefined, 'wyu_2'],
    ['two addresses that are written alike', 'token', '/chat/', undefined, 'wyu_2'],
    ['but one address, however it is written', 'https://app.example/token', '/chat/', undefined, 'wyu_1'],
    ["but no scope and ''", 'token', '/', '', 'wyu_1'],
  ])('%s', async (_, tokenUrl, path, scope, token) => {
    const world = modelWorld()
    let n = 0
    const fetch = async () => Response.json({ access_token: `wyu_${++n}`, expires_in: 3600 })
    const at = (path: string, options: { tokenUrl: string; scope: string | undefined }) => {
      vi.stubGlobal('location', { href: `https://app.example${path}` })
      return world.openTab('alice', { ...options, fetch, fetchToken: undefined })
    }
    const first = { tokenUrl: 'token', scope: undefined }
    const tabs = [at('/', first), at(path, { tokenUrl, scope }), at('/', first)]
    for (const tab of tabs) {
      watch(tab.token())
      await settle()
      await pass(SECOND)
    }
    const tokens = tabs.map(({ source }) => Object(source.getState()).token)
    expect(tokens).toEqual(['wyu_1', token, 'wyu_1'])
    closeAll(...tabs)
  })

  test('a switch while a tab waits for another ends the wait, and what comes for the old user stays there', async () => {
    const world = modelWorld()
    const [asking, waiting] = [world.openTab(), world.openTab()]
    watch(asking.token())
    await settle()
    await pass(10)
    const old = watch(waiting.token())
    await settle()
    waiting.source.setUser('bob')
    const now = watch(waiting.token())
    await settle()
    await pass(SECOND)
    expect(old.outcome).toBe('superseded')
    expect(now.outcome).toBe('wyu_bob_2')
    closeAll(asking, waiting)
  })

  test("another user's token, which the broker gave a tab whose user had just been switched, is not given on", async () => {
    const world = modelWorld()
    let cookie = 'bob'
    world.broker.answer = async () => ({
      access_token: `wyu_${cookie}_${world.seen.length}`,
      expires_in: 3600,
      sub: `${cookie}-sub`,
    })
    const early = world.openTab('bob')
    watch(early.token())
    await settle()
    await pass(SECOND)
    early.source.setUser('alice')
    const refused = watch(early.token())
    await settle()
    await pass(SECOND)
    expect(refused.outcome).toBe('other_user')
    cookie = 'alice'
    const late = world.openTab('alice')
    const seen = watch(late.token())
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_alice_3')
    closeAll(early, late)
  })

  test("a token in a message, which a tab knows to be another user's, is not taken", async () => {
    const world = modelWorld()
    world.broker.answer = async () => ({
      access_token: `wyu_${world.seen.length}`,
      expires_in: 3600,
      sub: world.seen.length < 3 ? 'bob-sub' : 'alice-sub',
    })
    const knows = world.openTab('bob')
    watch(knows.token())
    await settle()
    await pass(SECOND)
    // Opened while the cookie is still bob's: nothing tells it.
    const mistaken = world.openTab('alice')
    watch(mistaken.token())
    await settle()
    await pass(SECOND)
    knows.source.setUser('alice')
    const seen = watch(knows.token())
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_3')
    closeAll(knows, mistaken)
  })

  test('no name of a channel or a lock tells user, scope or address', async () => {
    const world = modelWorld()
    const tab = world.openTab('alice', { scope: 'tenant' })
    watch(tab.token())
    await settle()
    await pass(SECOND)
    for (const name of world.names) expect(name).toMatch(/^weavy-token:[\w-]{22}(:(ask:\d+|\d+))?$/)
    closeAll(tab)
  })
})

/** A call as a source makes it, in a session of its own. */
function callOf(tab: OpenTab, request: Partial<TokenRequest> = {}, more: Partial<Session> = {}) {
  const end = new AbortController()
  const { signal } = end
  const session: Session = { user: 'alice', signal, over: undefined, accepts: () => true, ...more }
  const call = async (more: Partial<TokenRequest> = {}) => {
    const over = new AbortController()
    try {
      return await tab.across(
        withSession(
          {
            refresh: false,
            rejected: undefined,
            user: 'alice',
            held: undefined,
            refused: undefined,
            signal: over.signal,
            ...request,
            ...more,
          },
          session,
        ),
      )
    } finally {
      over.abort()
    }
  }
  return { call, end: () => end.abort() }
}

describe('sub', () => {
  test.each([
    ['alice-sub', 'alice-sub', 1],
    ['alice-sub', undefined, 1],
    ['bob-sub', 'alice-sub', 2],
    [undefined, 'alice-sub', 2],
    [undefined, undefined, 1],
  ])('a token with sub %s, a tab that knows %s: %i broker requests', async (given, wanted, requests) => {
    const world = modelWorld()
    world.broker.subOf = given === undefined ? undefined : () => given
    const [holder] = (await together(world, 1)) as [OpenTab]
    const tab = world.openTab()
    const { call, end } = callOf(tab, { sub: wanted })
    const answer = call()
    await settle()
    await pass(SECOND)
    expect(await answer).toMatchObject({ access_token: `wyu_alice_${requests}` })
    expect(world.seen).toHaveLength(requests)
    end()
    closeAll(holder)
  })

  test('an answer of the broker with another sub is not shared', async () => {
    const world = modelWorld()
    world.broker.subOf = () => 'bob-sub'
    const knows = world.openTab()
    const { call, end } = callOf(knows, { sub: 'alice-sub' })
    const answer = call()
    await settle()
    await pass(SECOND)
    expect(await answer).toMatchObject({ sub: 'bob-sub' })
    const newcomer = world.openTab()
    watch(newcomer.token())
    await settle()
    await pass(SECOND)
    expect(world.seen).toHaveLength(2)
    end()
    closeAll(newcomer)
  })
})

describe('setUser(null)', () => {
  const newcomerAsks = async (world: World, requests: number) => {
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toMatch(/^wyu_alice/)
    expect(world.seen).toHaveLength(requests)
    closeAll(newcomer)
  }

  test.each([
    ['at once', () => {}],
    ['after clear()', (tab: OpenTab) => tab.source.clear()],
  ])('%s: no other tab hands its token to a newcomer', async (_, before) => {
    const world = modelWorld()
    const tabs = await together(world, 3)
    before(tabs[0] as OpenTab)
    tabs[0]?.source.setUser(null)
    await settle()
    await pass(10)
    await newcomerAsks(world, 2)
    expect(tabs[1]?.source.getState()).toMatchObject({ token: 'wyu_alice_1' })
    closeAll(...tabs)
  })

  test('a tab that has asked often tells the others once', async () => {
    const world = modelWorld()
    const [tab] = (await together(world, 1)) as [OpenTab]
    for (const rejected of ['wyu_alice_1', 'wyu_alice_2']) {
      watch(tab.ask({ rejected }))
      await settle()
      await pass(SECOND)
    }
    expect(world.seen).toHaveLength(3)
    tab.source.setUser(null)
    await settle()
    await pass(10)
    expect(world.messages.filter((message) => Object(message).stop)).toEqual([{ stop: true }])
    closeAll(tab)
  })

  test('what another tab asked for before is not handed on when it comes', async () => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    world.broker.delayMs = 400
    watch(tabs[1]?.source.getToken({ rejected: 'wyu_alice_1' }) as Promise<string>)
    await settle()
    await pass(10)
    tabs[0]?.source.setUser(null)
    await settle()
    await pass(SECOND)
    expect(tabs[1]?.source.getState()).toMatchObject({ token: 'wyu_alice_2' })
    await newcomerAsks(world, 3)
    closeAll(...tabs)
  })

  test('sharing goes on with what a tab asks for afterwards', async () => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    tabs[0]?.source.setUser(null)
    await settle()
    await pass(10)
    await newcomerAsks(world, 2)
    const [one, other] = [world.openTab(), world.openTab()]
    const seen = ask([one, other])
    await settle()
    await pass(SECOND)
    expect(seen[0]?.outcome).toBe(seen[1]?.outcome)
    expect(world.seen).toHaveLength(3)
    closeAll(...tabs, one, other)
  })

  test.each(['close', 'clear'] as const)('%s() in one tab leaves the others as they are', async (what) => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    tabs[0]?.source[what]()
    await settle()
    await pass(10)
    await newcomerAsks(world, 1)
    closeAll(...tabs)
  })
})

describe('a life', () => {
  test('counts from the asking, however long the message was on its way', async () => {
    const world = modelWorld()
    const [holder] = (await together(world, 1)) as [OpenTab]
    const sleeper = world.openTab()
    const seen = watch(sleeper.token())
    await settle()
    sleeper.freeze()
    await pass(10)
    // The machine sleeps, and the token dies meanwhile.
    vi.setSystemTime(Date.now() + 2 * HOUR)
    sleeper.thaw()
    await settle()
    expect(seen.outcome).not.toBe('wyu_alice_1')
    closeAll(holder, sleeper)
    await pass(SECOND)
  })

  test.each([
    ['up to its last tenth is given', 90 * SECOND - 1, 'wyu_alice_1'],
    ['that is in its last tenth is not given any more', 90 * SECOND, 'pending'],
  ])('%s', async (_, ageMs, outcome) => {
    const world = modelWorld()
    world.broker.lifeS = 100
    const [holder] = (await together(world, 1)) as [OpenTab]
    const [first] = world.seen
    // The question takes a millisecond.
    await pass(Number(first?.at) + ageMs - 1 - Date.now())
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(10)
    expect(seen.outcome).toBe(outcome)
    closeAll(holder, newcomer)
  })

  test('is what remains', async () => {
    const world = modelWorld()
    world.broker.lifeS = 100
    const [holder] = (await together(world, 1)) as [OpenTab]
    await pass(49 * SECOND)
    const newcomer = world.openTab()
    const began = Date.now()
    watch(newcomer.token())
    await settle()
    await pass(10)
    const state = newcomer.source.getState()
    expect(state).toMatchObject({ token: 'wyu_alice_1' })
    const left = Number('expiresAt' in state && state.expiresAt) - began
    expect(left).toBeLessThanOrEqual(50 * SECOND)
    expect(left).toBeGreaterThan(49.5 * SECOND)
    closeAll(holder, newcomer)
  })
})

describe('a hostile script of the same origin', () => {
  /** A tab that waits for a slow broker, and what it was told. */
  async function attacked(forge: () => unknown, afterMs = 5) {
    const world = modelWorld()
    world.broker.delayMs = 300
    const tab = world.openTab()
    const seen = watch(tab.token())
    await settle()
    await pass(afterMs)
    const [name = ''] = world.names
    for (const forged of [forge()].flat()) world.send(name, forged)
    await pass(SECOND)
    const state = tab.source.getState()
    closeAll(tab)
    return { seen, state, world }
  }
  const give = (message: object) => () => ({
    at: Date.now(),
    sent: Date.now(),
    access_token: 'wyu_forged',
    expires_in: 60,
    ...message,
  })

  test.each([5, 0])(
    'says what a tab would believe, %i ms after that asked: it is believed, for it could ask the broker itself',
    async (afterMs) => {
      const { seen } = await attacked(give({}), afterMs)
      expect(seen.outcome).toBe('wyu_forged')
    },
  )

  test.each([
    ['nothing', () => null],
    ['text', () => 'give'],
    ['wrong shapes', () => ({ after: {}, stop: 0, at: {}, sent: [] })],
    ['what was sent before the tab asked', give({ sent: Date.now() - SECOND })],
    ['a token without the instant at which it was sent', give({ sent: undefined })],
    ['an API key', give({ access_token: 'wys_key' })],
    ['a token that is none', give({ access_token: { length: 5 } })],
    ['a token without end', give({ access_token: `wyu_${'x'.repeat(5000)}` })],
    ['no time left', give({ expires_in: 0 })],
    ['less than none', give({ expires_in: -1 })],
    ['no version', give({ at: Number.NaN })],
  ])('says %s: nothing of it is taken', async (_, forge) => {
    const { seen, world } = await attacked(forge)
    expect(seen.outcome).toBe('wyu_alice_1')
    expect(world.seen).toHaveLength(1)
  })

  test.each([
    ['no number', 'long'],
    ['without end', Number.POSITIVE_INFINITY],
    ['not a number', Number.NaN],
    ['null', null],
    ['a list', [60]],
  ])('says a life that is %s: unknown, as it would be in an answer of the broker', async (_, expires_in) => {
    const { state } = await attacked(give({ expires_in }))
    expect(state).toMatchObject({ token: 'wyu_forged', expiresAt: null })
  })

  test('says a life of a billion years: it is cut, as that of the broker is', async () => {
    const { state } = await attacked(give({ expires_in: 1e300 }))
    expect(state).toMatchObject({ token: 'wyu_forged' })
    expect(Object(state).expiresAt).toBeLessThan(Date.now() + 1e13 + 1)
  })

  test('says a version from the future: the next token that the tab asks for is shared again', async () => {
    const world = modelWorld()
    const tab = world.openTab()
    watch(tab.token())
    await settle()
    await pass(5)
    world.send([...world.names][0] as string, give({ at: 1e300 })())
    await pass(10)
    expect(tab.source.getState()).toMatchObject({ token: 'wyu_forged' })
    watch(tab.ask({ rejected: 'wyu_forged' }))
    await settle()
    await pass(SECOND)
    const newcomer = world.openTab()
    const seen = watch(newcomer.token())
    await settle()
    await pass(10)
    expect(seen.outcome).toBe('wyu_alice_1')
    closeAll(tab, newcomer)
  })

  test('floods a tab that asks: it remembers nothing of it, and says its token once', async () => {
    const { seen, world } = await attacked(() => many(1000, () => ({ after: 0 })))
    expect(seen.outcome).toBe('wyu_alice_1')
    expect(world.messages.filter((message) => Object(message).access_token)).toHaveLength(1)
  })

  test('says stop all the time: each tab asks for itself', async () => {
    const { seen } = await attacked(() => many(100, () => ({ stop: true })))
    expect(seen.outcome).toBe('wyu_alice_1')
  })
})

describe('what is left', () => {
  const NOTHING = { channels: 0, locks: 0, listeners: 0 }
  /** What a source that is open listens to. */
  const SOURCES = 3

  test.each(['close', 'setUser'] as const)('after %s(): no channel, lock, listener or timer', async (end) => {
    const world = modelWorld()
    const tabs = await together(world, 2)
    expect(tabs[0]?.left()).toEqual({ channels: 1, locks: 1, listeners: SOURCES + 1 })
    for (const { source } of tabs) end === 'close' ? source.close() : source.setUser(undefined)
    await settle()
    await pass(2)
    for (const tab of tabs)
      expect(tab.left()).toEqual({ ...NOTHING, listeners: end === 'close' ? 0 : SOURCES })
    closeAll(...tabs)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('after close() while it waits for another tab, or for the broker', async () => {
    const world = modelWorld()
    const tabs = many(2, () => world.openTab())
    const seen = ask(tabs)
    await settle()
    await pass(10)
    closeAll(...tabs)
    await settle()
    expect(seen.map(({ outcome }) => outcome)).toEqual(['closed', 'closed'])
    await pass(150)
    for (const tab of tabs) expect(tab.left()).toEqual(NOTHING)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    ['before its first request is handed on', false],
    ['between two requests', true],
  ])('after close() %s by a fetchToken of the app: no channel', async (_, hasAsked) => {
    const world = modelWorld()
    const tab = world.openTab()
    const source = createTokenSource({
      user: 'alice',
      fetchToken: async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 10))
        return tab.across(request)
      },
    })
    const first = hasAsked ? watch(source.getToken()) : undefined
    await pass(SECOND)
    watch(source.getToken({ rejected: first?.outcome }))
    await pass(5)
    source.close()
    await pass(SECOND)
    expect(tab.left()).toMatchObject({ channels: 0, locks: 0 })
    closeAll(tab)
  })

  test('while the page is away: nothing; and when it is back it asks the broker before it takes a token', async () => {
    const world = modelWorld()
    const [tab, other] = (await together(world, 2)) as [OpenTab, OpenTab]
    const seen = watch(tab.ask({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(5)
    expect(world.seen).toHaveLength(2)
    tab.hide()
    await pass(2)
    expect(tab.left()).toMatchObject({ channels: 0, locks: 0 })
    watch(other.ask({ rejected: 'wyu_alice_1' }))
    await settle()
    await pass(SECOND)
    expect(other.source.getState()).toMatchObject({ token: 'wyu_alice_2' })
    expect(seen.outcome).toBe('pending')
    tab.show()
    await settle()
    await pass(SECOND)
    expect(seen.outcome).toBe('wyu_alice_3')
    // And shares again.
    const newcomer = world.openTab()
    other.source.close()
    const third = watch(newcomer.token())
    await settle()
    await pass(SECOND)
    expect(third.outcome).toBe('wyu_alice_3')
    closeAll(tab, newcomer)
  })
})

describe('without the means', () => {
  const plain = async (before: () => void) => {
    before()
    vi.stubGlobal('addEventListener', () => {})
    vi.stubGlobal('removeEventListener', () => {})
    const asked: TokenRequest[] = []
    const fetchToken = acrossTabs({
      scope: '',
      fetchToken: async (request) => {
        asked.push(request)
        return { access_token: 'wyu_1', expires_in: 60 }
      },
    })
    const source = createTokenSource({ fetchToken, user: 'alice' })
    expect(await source.getToken()).toBe('wyu_1')
    expect(asked).toHaveLength(1)
    source.close()
  }
  const means = {
    document: new EventTarget(),
    BroadcastChannel: class {
      constructor() {
        throw new Error('not to be used')
      }
    },
    navigator: { locks: {} },
  }
  test.each(['document', 'BroadcastChannel', 'navigator', 'crypto'])('no %s: the plain request', (missing) =>
    plain(() => {
      for (const [name, value] of Object.entries({ ...means, [missing]: undefined }))
        vi.stubGlobal(name, value)
    }),
  )

  test('a page that is prerendered, in which no lock is granted: the plain request', () =>
    plain(() => {
      for (const [name, value] of Object.entries({
        ...means,
        document: Object.assign(new EventTarget(), { prerendering: true }),
      }))
        vi.stubGlobal(name, value)
    }))

  test('channels and locks that fail: the plain request', async () => {
    const fail = () => Promise.reject(new DOMException('no', 'SecurityError'))
    const locks = { request: fail, query: fail }
    for (const [name, value] of Object.entries({ ...means, navigator: { locks } })) vi.stubGlobal(name, value)
    await plain(() => {})
  })

  test('a request of a source whose version cannot judge a token: the plain request', async () => {
    const world = modelWorld()
    const [one, other] = [world.openTab(), world.openTab()]
    const older = { accepts: undefined as unknown as Session['accepts'] }
    const calls = [callOf(one, {}, older), callOf(other, {}, older)]
    const answers = Promise.all(calls.map(({ call }) => call()))
    await pass(SECOND)
    await answers
    expect(world.seen).toHaveLength(2)
    expect(one.left().channels).toBe(0)
  })

  test('a request that comes from no source of this library: the plain request', async () => {
    const world = modelWorld()
    const { across } = world.openTab()
    const { signal } = new AbortController()
    const request = {
      refresh: false,
      rejected: undefined,
      held: undefined,
      refused: undefined,
      user: 'alice',
      signal,
    }
    const answers = Promise.all([across(request), across(request)])
    await pass(SECOND)
    await answers
    expect(world.seen).toHaveLength(2)
  })
})

describe('options', () => {
  const fetchToken = async () => ({ access_token: 'wyu_1' })
  test.each([
    [{ fetchToken }],
    [{ tokenUrl: 'https://a.example/token', requestInit: () => ({}) }],
    [{ tokenUrl: 'https://a.example/token', requestInit: { headers: { tenant: 'a' } } }],
    [{ tokenUrl: 'https://a.example/token', scope: 5 as never }],
  ])('%o: a TypeError that names scope', (options) => {
    expect(() => acrossTabs(options)).toThrow(/^scope must/)
    expect(() => acrossTabs(options)).toThrow(TypeError)
  })

  test('both or neither of tokenUrl and fetchToken, and an unsafe address, are a TypeError', () => {
    expect(() => acrossTabs({ scope: '' })).toThrow(TypeError)
    expect(() => acrossTabs({ tokenUrl: 'https://a.example', fetchToken, scope: '' })).toThrow(TypeError)
    expect(() => acrossTabs({ tokenUrl: 'http://a.example' })).toThrow(/tokenUrl must be https/)
  })

  test('fetchToken may return a Response', async () => {
    const world = modelWorld()
    world.broker.answer = async () => Response.json({ access_token: 'wyu_1', expires_in: 60 })
    const [one, other] = [world.openTab(), world.openTab()]
    const seen = ask([one, other])
    await settle()
    await pass(SECOND)
    expect(seen.map(({ outcome }) => outcome)).toEqual(['wyu_1', 'wyu_1'])
    expect(world.seen).toHaveLength(1)
    closeAll(one, other)
  })
})
