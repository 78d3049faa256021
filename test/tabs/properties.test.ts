import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { TokenError } from '../../src/index.js'
import { runs } from '../effort.js'
import { fakeClocks, HOUR, MINUTE, pass, SECOND } from '../world.js'
import { modelWorld, synchronousDigests } from './world.js'

/*
 * Tabs that open, switch, sign out, freeze, go away, come back and close at any time, in a browser that delays messages
 * and locks and loses messages, beside a broker that is slow, fails and hangs.
 */

fakeClocks()
synchronousDigests()

const USERS = ['alice', 'alice', 'alice', 'bob', 'bob', '5', 5, null, undefined] as const
type User = (typeof USERS)[number]

type Step =
  | { do: 'pass'; ms: number }
  | { do: 'open'; user: User; tenant: 'a' | 'b' }
  | { do: 'ask' | 'refuse' | 'clear' | 'close' | 'freeze' | 'thaw' | 'hide' | 'show'; tab: number }
  | { do: 'user'; tab: number; user: User }
  | { do: 'broker'; delayMs: number; lifeS: number; kind: 'fine' | 'fails' | 'hangs' }
  | { do: 'sleep'; ms: number }

const tab = fc.nat({ max: 7 })
const user = fc.constantFrom(...USERS)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat(5), fc.nat(SECOND), fc.nat(MINUTE)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('open' as const), user, tenant: fc.constantFrom('a', 'a', 'b') }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('ask' as const, 'refuse' as const), tab }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['clear', 'close', 'freeze', 'thaw', 'hide', 'show'] as const)),
      tab,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('user' as const), tab, user }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('broker' as const),
      delayMs: fc.constantFrom(5, 100, 2000),
      lifeS: fc.constantFrom(5, 60, 3600),
      kind: fc.constantFrom('fine', 'fine', 'fails', 'hangs'),
    }),
  },
  { arbitrary: fc.record({ do: fc.constant('sleep' as const), ms: fc.nat(2 * HOUR) }), weight: 1 },
)

async function live(steps: readonly Step[], weather: { delays: readonly number[]; lossOf: number }) {
  let n = 0
  const world = modelWorld({
    delayMs: () => weather.delays[n++ % weather.delays.length] as number,
    isLost: () => weather.lossOf > 0 && n++ % weather.lossOf === 0,
  })
  const tabs: (ReturnType<typeof world.openTab> & { user: User; tenant: string })[] = []
  const problems: string[] = []
  const pending = new Set<unknown>()
  /** Which tenant's broker gave a token. */
  const tenantOf = new Map<string, string>()

  const check = (value: string, owner: User, tenant: string) => {
    const issued = world.issued.get(value)
    if (!issued) return void problems.push('a token that no broker gave')
    if (!value.startsWith(`wyu_${owner}_`) || issued.user !== String(owner))
      problems.push(`the token of ${issued.user} for ${owner}`)
    if (tenantOf.get(value) !== tenant) problems.push('the token of another tenant')
    if (Date.now() - issued.at > (issued.lifeS ?? Number.POSITIVE_INFINITY) * SECOND)
      problems.push('a token longer than it lives')
  }

  const at = (n: number) => tabs[n % tabs.length]

  const take: { [S in Step as S['do']]: (step: S) => unknown } = {
    pass: ({ ms }) => pass(ms),
    sleep: ({ ms }) => {
      // Timers stand still meanwhile, messages on their way as well.
      vi.setSystemTime(Date.now() + ms)
    },
    open: ({ user, tenant }) => {
      if (tabs.length >= 8) return
      const opened = world.openTab('nobody', { scope: tenant })
      opened.source.setUser(user)
      tabs.push(Object.assign(opened, { user, tenant }))
    },
    ask: (step) => follow(step, false),
    refuse: (step) => follow(step, true),
    clear: (step) => at(step.tab)?.source.clear(),
    close: (step) => {
      const closed = at(step.tab)
      closed?.close()
      closed?.source.close()
      if (closed) tabs.splice(tabs.indexOf(closed), 1)
    },
    freeze: (step) => at(step.tab)?.freeze(),
    thaw: (step) => at(step.tab)?.thaw(),
    hide: (step) => at(step.tab)?.hide(),
    show: (step) => at(step.tab)?.show(),
    user: (step) => {
      const one = at(step.tab)
      if (!one) return
      // A source compares users as strings, and keeps the one it has.
      const isSame = step.user !== null && step.user !== undefined && String(step.user) === String(one.user)
      if (!isSame) one.user = step.user
      one.source.setUser(step.user)
    },
    broker: ({ delayMs, lifeS, kind }) => {
      Object.assign(world.broker, { delayMs, lifeS })
      world.broker.answer =
        kind === 'fine'
          ? undefined
          : () => (kind === 'hangs' ? new Promise(() => {}) : Promise.reject(new TypeError('fetch failed')))
    },
  }

  function follow({ tab }: { tab: number }, refuses: boolean) {
    const one = at(tab)
    if (!one) return
    const { user, tenant } = one
    const state = one.source.getState()
    const rejected = refuses && 'token' in state ? state.token : undefined
    const call = one.ask(rejected ? { rejected } : {}).then(
      (value) => {
        if (value === rejected) problems.push('a token that was refused')
        check(value, user, tenant)
      },
      (error) => {
        if (!(error instanceof TokenError)) problems.push(String(error))
      },
    )
    pending.add(call)
    void call.then(() => pending.delete(call))
  }

  world.onIssue = (value, tab) =>
    tenantOf.set(value, tabs.find((one) => Object.is(one.browser, tab.browser))?.tenant ?? 'gone')

  for (let i = 0; i < 4; i++) take.open({ do: 'open', user: 'alice', tenant: 'a' })
  for (const next of steps) {
    await take[next.do](next as never)
    for (let i = 0; i < 20; i++) await null
    for (const { source, user, tenant } of tabs) {
      const state = source.getState()
      if ('token' in state) check(state.token, user, tenant)
    }
  }

  // Whatever was, each caller is told, and in a browser and with a broker that are well again all have a token.
  weather = { delays: [1], lossOf: 0 }
  world.broker.answer = undefined
  Object.assign(world.broker, { delayMs: 5, lifeS: 3600 })
  for (const one of tabs) {
    one.thaw()
    one.show()
    one.source.clear()
  }
  await pass(MINUTE)
  if (pending.size) problems.push('a caller that was never told')
  const before = world.seen.length
  const signedIn = tabs.filter(({ user }) => user !== null)
  const last = signedIn.map((one) => one.ask())
  await pass(MINUTE)
  await Promise.all(last)
  const rooms = new Set(
    signedIn.map(({ user, tenant }, i) => (user === undefined ? i : `${typeof user} ${user} ${tenant}`)),
  )
  if (world.seen.length - before > rooms.size) problems.push('more requests than users')
  for (const { source } of tabs) source.close()
  await pass(SECOND)
  for (const one of tabs) expect(one.left()).toEqual({ channels: 0, locks: 0, listeners: 0 })
  expect(vi.getTimerCount()).toBe(0)
  expect(problems).toEqual([])
}

test('no token crosses users or tenants, outlives its life or comes back after a refusal, and nobody waits for ever', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 40, maxLength: 80, size: 'max' }),
      fc.record({
        delays: fc.array(fc.constantFrom(0, 1, 5, 40, 900), { minLength: 1, maxLength: 5 }),
        lossOf: fc.constantFrom(0, 0, 2, 5),
      }),
      live,
    ),
    runs(60),
  )
}, 120_000)
