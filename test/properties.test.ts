import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTokenSource, TokenError } from '../src/index.js'

/**
 * A world in which time, both clocks, the broker, the users and the network do what they want. Every token that the
 * broker gives is remembered with its user and its true expiry, so that what is handed out can be judged.
 */
type Step =
  | { do: 'pass'; ms: number }
  | { do: 'jump'; clock: 'wall' | 'mono'; ms: number }
  | { do: 'broker'; mood: Mood; lifetime: number | undefined }
  | { do: 'ask'; minValidityMs: number }
  | { do: 'reject' }
  | { do: 'reject-old' }
  | { do: 'ask-and-leave' }
  | { do: 'user'; user: string | null }
  | { do: 'clear' }
  | { do: 'wake' }

type Mood = 'good' | 'down' | 'busy' | 'same' | 'hang' | 'garbage' | 'signed-out' | 'slow' | 'key'

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  },
  fc.record({
    do: fc.constant('jump' as const),
    clock: fc.constantFrom('wall' as const, 'mono' as const),
    ms: fc.constantFrom(-7_200_000, -1000, 1000, 60_000, 86_400_000),
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('broker' as const),
      mood: fc.constantFrom<Mood>(
        'good',
        'good',
        'down',
        'busy',
        'same',
        'hang',
        'garbage',
        'signed-out',
        'slow',
        'key',
      ),
      lifetime: fc.constantFrom(undefined, 0, 1, 6, 60, 3600, 1e20),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      minValidityMs: fc.constantFrom(0, 0, 5000, 1e9),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'reject' as const }) },
  fc.constant({ do: 'reject-old' as const }),
  fc.constant({ do: 'ask-and-leave' as const }),
  fc.record({ do: fc.constant('user' as const), user: fc.constantFrom('a', 'b', null) }),
  fc.constant({ do: 'clear' as const }),
  fc.constant({ do: 'wake' as const }),
)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** Clocks that can be moved apart, and a page that can come online. */
function stubMachine() {
  const real = { wall: Date.now, mono: performance.now.bind(performance) }
  const offset = { wall: 0, mono: 0 }
  vi.spyOn(Date, 'now').mockImplementation(() => real.wall.call(Date) + offset.wall)
  vi.spyOn(performance, 'now').mockImplementation(() => real.mono() + offset.mono)
  const onLine = new Set<() => void>()
  vi.stubGlobal('document', { visibilityState: 'visible', addEventListener() {}, removeEventListener() {} })
  vi.stubGlobal('addEventListener', (_: string, listener: () => void) => onLine.add(listener))
  vi.stubGlobal('removeEventListener', (_: string, listener: () => void) => onLine.delete(listener))
  return {
    /** Time as timers see it: none passes in a jump. */
    awake: real.mono,
    /** Time as it really passed, while timers stood still as well. */
    truth: () => real.mono() + offset.mono,
    jump: (clock: 'wall' | 'mono', ms: number) => {
      // The monotonic clock may stand still, but never goes back.
      offset[clock] += clock === 'mono' ? Math.max(ms, 0) : ms
    },
    wake: () => {
      for (const listener of onLine) listener()
    },
    listeners: onLine,
  }
}

async function live(steps: readonly Step[]) {
  const machine = stubMachine()
  let mood: Mood = 'good'
  let lifetime: number | undefined = 60
  let user: string | null = 'a'
  let count = 0
  let inTheAir = 0
  const requestsAt: number[] = []
  const issued = new Map<string, { user: string | null; until: number }>()
  const rejected = new Map<string, number>()
  let epoch = 0
  let last: string | undefined

  const answer = async (): Promise<unknown> => {
    const asked = machine.truth()
    const owner = user
    switch (mood) {
      case 'down':
        throw new TokenError('broker_error', 'down', { status: 503 })
      case 'busy':
        throw new TokenError('rate_limited', 'busy', { status: 429, retryAfterMs: 7000 })
      case 'signed-out':
        throw new TokenError('signed_out', 'over', { status: 401 })
      case 'garbage':
        return { access_token: 42 }
      case 'key':
        return { access_token: 'wys_secret' }
      case 'hang':
        return new Promise(() => {})
      case 'same':
        if (!last || issued.get(last)?.user !== owner) break
        issued.set(last, { user: owner, until: asked + 60_000 })
        return { access_token: last, expires_in: 60 }
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, 3000))
        break
      case 'good':
    }
    count += 1
    const token = `wyu_${count}`
    last = token
    issued.set(token, { user: owner, until: asked + (lifetime ?? Number.POSITIVE_INFINITY) * 1000 })
    return { access_token: token, expires_in: lifetime }
  }

  const source = createTokenSource({
    user,
    fetchToken: async ({ signal }) => {
      requestsAt.push(machine.truth())
      inTheAir += 1
      let over = false
      const end = () => {
        if (!over) inTheAir -= 1
        over = true
      }
      signal.addEventListener('abort', end)
      if (inTheAir !== 1) violations.push('two requests in the air')
      try {
        return (await answer()) as never
      } finally {
        end()
      }
    },
  })

  const violations: string[] = []
  let pending = 0
  let held: string | undefined
  const judge = (begunIn: number, request: Promise<string>) => {
    pending += 1
    const begun = machine.awake()
    request.then(
      (token) => {
        pending -= 1
        held = token
        const facts = issued.get(token)
        // A promise that was settled before a switch may be seen after it.
        if (begunIn === epoch && facts?.user !== user) violations.push('a foreign token')
        if (!facts || facts.until <= machine.truth() - 1) violations.push('an expired token')
        if (rejected.get(token) === epoch) violations.push('a refused token')
      },
      (error) => {
        pending -= 1
        if (error !== 'left' && !(error instanceof TokenError)) violations.push(`an untyped error: ${error}`)
        if (machine.awake() - begun > 15_001) violations.push('a late answer')
      },
    )
  }

  for (const step of steps) {
    switch (step.do) {
      case 'pass':
        await vi.advanceTimersByTimeAsync(step.ms)
        break
      case 'jump':
        machine.jump(step.clock, step.ms)
        break
      case 'broker':
        mood = step.mood
        lifetime = step.lifetime
        break
      case 'ask':
        judge(epoch, source.getToken({ minValidityMs: step.minValidityMs }))
        break
      case 'reject':
        if (held) {
          rejected.set(held, epoch)
          judge(epoch, source.getToken({ rejected: held }))
        }
        break
      case 'reject-old':
        judge(epoch, source.getToken({ rejected: 'wyu_0' }))
        break
      case 'ask-and-leave': {
        const leave = new AbortController()
        judge(epoch, source.getToken({ signal: leave.signal }))
        leave.abort('left')
        break
      }
      case 'user':
        if (user !== step.user) epoch += 1
        user = step.user
        source.setUser(step.user)
        break
      case 'clear':
        epoch += 1
        source.clear()
        break
      case 'wake':
        machine.wake()
    }
    await vi.advanceTimersByTimeAsync(0)
  }
  await vi.advanceTimersByTimeAsync(15_001)
  expect(violations).toEqual([])
  expect(pending).toBe(0)
  source.close()
  expect(machine.listeners.size).toBe(0)
  await vi.advanceTimersByTimeAsync(10_001)
  expect(vi.getTimerCount()).toBe(0)
  for (const from of requestsAt)
    expect(requestsAt.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(30)
}

test('whatever happens, no dead, refused or foreign token is handed out, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      try {
        await live(steps)
      } finally {
        vi.restoreAllMocks()
        vi.unstubAllGlobals()
        vi.clearAllTimers()
      }
    }),
    { numRuns: 5000 },
  )
}, 120_000)

test('a hostile app and a hostile broker for an hour: never more than 30 requests in any 60 s', async () => {
  const at: number[] = []
  let n = 0
  const source = createTokenSource({
    fetchToken: async () => {
      at.push(performance.now())
      if (n % 7 === 6) throw new TypeError('network')
      n += 1
      return { access_token: `wyu_${n % 5}`, expires_in: n % 3 }
    },
  })
  const random = fc.sample(fc.integer({ min: 0, max: 5 }), { numRuns: 3600, seed: 1 })
  for (const [second, choice] of random.entries()) {
    if (choice === 0) source.clear()
    if (choice === 1) source.setUser(`user ${second}`)
    for (let i = 0; i < 20; i++)
      source.getToken({ rejected: `wyu_${i % 5}`, minValidityMs: 1e6 }).catch(() => {})
    await vi.advanceTimersByTimeAsync(1000)
  }
  source.close()
  expect(at.length).toBeGreaterThan(100)
  for (const [i, from] of at.entries())
    expect((at[i + 30] ?? Number.POSITIVE_INFINITY) - from).toBeGreaterThanOrEqual(60_000)
}, 60_000)
