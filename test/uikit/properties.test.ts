import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { runs } from '../effort.js'
import { UIKITS, type UIKit } from './real-client.js'
import { createWorld, outcomeOf } from './world.js'

const HORIZON_MS = 50_000
const METHODS = ['fetch', 'upload'] as const
const PATHS = ['/api/a', '/api/b', '/api/c']
/** They may come to answer 401 to living tokens. */
const ODD = ['/api/odd', '/api/odder']
const USERS = ['alice', 'bob', null] as const

/** Mostly close together, where things meet. */
const at = fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: HORIZON_MS / 2 }))
const delay = fc.constantFrom(0, 1, 30, 300, 3000, 20_000)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(...METHODS),
      at,
      path: fc.constantFrom(...PATHS, ...ODD),
      delay,
      isLate: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('switch' as const), at, user: fc.constantFrom(...USERS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('forbid' as const), at, path: fc.constantFrom(...PATHS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('deny' as const), at, path: fc.constantFrom(...ODD) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hub' as const), at }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Call {
  readonly path: string
  readonly user: string
  readonly session: number
  isOver: boolean
  until: number
  outcome: unknown
}

/** Runs steps against the requests of a real UIKit, and says what Weavy and the broker saw of it. */
async function live(uikit: UIKit, steps: readonly Step[], isDeadAtFirst: boolean, brokerMs: number) {
  const world = createWorld()
  if (isDeadAtFirst) {
    world.issue('alice')
    world.revokeAll()
  }
  world.brokerMs = brokerMs
  const weavy = world.instance(uikit)
  const calls: Call[] = []
  /** Once for each user whose tokens died. */
  const revocations = isDeadAtFirst ? [{ user: 'alice', ms: 0 }] : []
  const forbidden = new Set<string>()
  const odd = new Set<string>()
  let user: string | null = 'alice'
  let sessions = 1
  const began = performance.now()
  const now = () => performance.now() - began
  const begin = (next: Step & { path: string; delay: number; isLate: boolean }) => {
    const query = `?call=${calls.length}&delay=${next.delay}&judge=${next.isLate ? 'late' : 'early'}`
    const call: Call = {
      path: next.path,
      user: String(user),
      session: sessions,
      isOver: false,
      until: Number.POSITIVE_INFINITY,
      outcome: 'pending',
    }
    calls.push(call)
    const answer =
      next.do === 'fetch' ? weavy.fetch(next.path + query) : weavy.upload(next.path + query, 'POST', 'file')
    void outcomeOf(answer).then((outcome) => {
      call.outcome = outcome
      call.until = now()
      call.isOver = call.session !== sessions
    })
  }
  const take = (next: Step) => {
    if (next.do === 'revoke') {
      for (const user of new Set(world.alive.values())) revocations.push({ user, ms: now() })
      world.revokeAll()
    } else if (next.do === 'forbid') {
      world.forbid(next.path)
      forbidden.add(next.path)
    } else if (next.do === 'deny') {
      world.forbid(next.path, 401)
      odd.add(next.path)
    } else if (next.do === 'hub') void weavy.getToken(true).catch(() => {})
    else if (next.do === 'switch') {
      if (next.user === user) return
      user = next.user
      sessions += 1
      world.source.setUser(user)
    } else begin(next)
  }
  for (const next of [...steps].sort((a, b) => a.at - b.at)) {
    await world.pass(Math.max(0, next.at - now()))
    take(next)
  }
  // The longest: three requests of 20 s, and a broker between them.
  await world.pass(2 * HORIZON_MS)
  return {
    world,
    weavy,
    calls,
    revocations,
    sessions,
    forbidden,
    odd,
    hubs: steps.filter((s) => s.do === 'hub').length,
  }
}

test.each(UIKITS)(
  '%s: no request carries a token of another user than the one it began for, none is refused for nothing, and refreshes are few',
  async (uikit) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.boolean(),
        fc.constantFrom(0, 1, 300),
        async (steps, isDeadAtFirst, brokerMs) => {
          const { world, weavy, calls, revocations, sessions, forbidden, odd, hubs } = await live(
            uikit,
            steps,
            isDeadAtFirst,
            brokerMs,
          )
          for (const { path, user } of world.seen) {
            const call = calls[Number(/call=(\d+)/.exec(path)?.[1])]
            expect(user).toBe(call?.user)
          }
          for (const call of calls) {
            expect(call.outcome).not.toBe('pending')
            if (call.isOver) expect(call.outcome).toBe('superseded')
            const died = revocations.filter(({ user, ms }) => user === call.user && ms <= call.until)
            if (call.outcome === 401 && !odd.has(call.path)) expect(died.length).toBeGreaterThanOrEqual(2)
          }
          const causes = revocations.length + forbidden.size * sessions + hubs
          // Of calls that go on at once each may still ask for two tokens.
          const oddities = 2 * calls.filter(({ path }) => odd.has(path)).length
          expect(world.refreshes).toBeLessThanOrEqual(causes + oddities)
          expect(weavy.networkStateIsPending).toBe(false)
          world.source.close()
        },
      ),
      runs(100),
    )
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  },
  120_000,
)
