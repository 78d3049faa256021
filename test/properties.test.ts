import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTokenSource, TokenError, type TokenRequest, type TokenResponse } from '../src/index.js'
import { runs } from './effort.js'
import { HOUR, MINUTE, pass, peakPerMinute, SECOND, stubPage } from './world.js'

/*
 * A hostile world: the broker, the clocks, the callers and the page do anything at any time. Whatever they do, the
 * promises of a source hold.
 */

type Answer =
  | { kind: 'fresh' | 'same' | 'earlier'; life: unknown }
  | { kind: 'error'; status: number; retryAfterMs: number | undefined }
  | { kind: 'throw' | 'hang' | 'rubbish' | 'key' }

type Step =
  | { do: 'pass' | 'jumpWall' | 'jumpMono'; ms: number }
  | { do: 'ask'; minValidityMs: number }
  | { do: 'askAndAbort' | 'refuse' | 'refuseEarlier' | 'refuseAndAsk' | 'factory' | 'factoryTrue' }
  | { do: 'user' | 'session'; user: 'a' | 'b' | null }
  | {
      do:
        | 'clear'
        | 'hide'
        | 'show'
        | 'offline'
        | 'online'
        | 'store'
        | 'restore'
        | 'listenerClears'
        | 'listenerAsks'
    }
  | { do: 'broker'; answer: Answer; delayMs: number }

const life = fc.oneof(
  fc.constantFrom<unknown>(0, -1, 1, 6, 60, '3600', 3600, 2_592_000, 1e20, undefined, 'soon', Number.NaN),
  fc.integer({ min: 1, max: 7200 }),
)

const answer: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fresh' as const), life }) },
  fc.record({ kind: fc.constantFrom('same' as const, 'earlier' as const), life }),
  fc.record({
    kind: fc.constant('error' as const),
    status: fc.constantFrom(400, 401, 403, 404, 429, 500, 503),
    retryAfterMs: fc.option(fc.constantFrom(0, 1000, 30_000, 1e9), { nil: undefined }),
  }),
  fc.record({ kind: fc.constantFrom('throw' as const, 'hang' as const, 'rubbish' as const, 'key' as const) }),
)

const duration = fc.oneof(
  fc.integer({ min: 0, max: 2 * SECOND }),
  fc.integer({ min: 0, max: 2 * MINUTE }),
  fc.integer({ min: 0, max: 2 * HOUR }),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: duration }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      minValidityMs: fc.constantFrom(0, 0, 5000, HOUR),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(['askAndAbort', 'refuse', 'refuseEarlier', 'refuseAndAsk', 'factory', 'factoryTrue'] as const),
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('broker' as const),
      answer,
      delayMs: fc.constantFrom(0, 0, 50, 3000, 12_000),
    }),
  },
  fc.record({ do: fc.constantFrom('jumpWall' as const), ms: fc.integer({ min: -2 * HOUR, max: 2 * HOUR }) }),
  // The monotonic clock never goes back.
  fc.record({ do: fc.constantFrom('jumpMono' as const), ms: fc.integer({ min: 0, max: 2 * HOUR }) }),
  fc.record({ do: fc.constant('user' as const), user: fc.constantFrom('a' as const, 'b' as const, null) }),
  fc.record({ do: fc.constant('session' as const), user: fc.constantFrom('a' as const, 'b' as const, null) }),
  fc.record({
    do: fc.constantFrom(
      ...([
        'clear',
        'hide',
        'show',
        'offline',
        'online',
        'restore',
        'listenerClears',
        'listenerAsks',
      ] as const),
    ),
  }),
)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** Time as nobody can set it, in which waits are measured; the two clocks of the machine are bent around it. */
function bendClocks() {
  const mono = performance.now.bind(performance)
  const began = mono()
  let wallOff = 0
  let monoOff = 0
  const wall = Date.now.bind(Date)
  vi.spyOn(Date, 'now').mockImplementation(() => wall() + wallOff)
  vi.spyOn(performance, 'now').mockImplementation(() => mono() + monoOff)
  return {
    /** Timers run on this one. */
    elapsed: () => mono() - began,
    jumpWall: (ms: number) => {
      wallOff += ms
    },
    jumpMono: (ms: number) => {
      monoOff += ms
    },
  }
}

interface Issued {
  readonly epoch: number
  readonly wall: number
  readonly mono: number
  readonly lifeMs: number
  readonly sub: string | undefined
}

async function live(steps: readonly Step[], settings: { maxWaitMs: number; timeoutMs: number }) {
  const clocks = bendClocks()
  // Who slept through its time has it once more; 0 is the outcome of one flight, which may need two requests.
  const longestWaitMs = 2 * (settings.maxWaitMs || settings.timeoutMs)
  const page = stubPage()
  const issued = new Map<string, Issued[]>()
  const order: string[] = []
  const requestTimes: number[] = []
  const pending = new Set<Promise<void>>()
  const problems: string[] = []
  let refused = new Set<string>()
  let epoch = 0
  let inAir = 0
  let user: string | null = 'a'
  /** Whose cookie the browser holds, whatever the page thinks; null: a broker that names nobody. */
  let session: string | null = null
  /** Whose tokens a user of the page was handed first. */
  const owners = new Map<string | null, string>()
  let closed = false
  let behaviour: { answer: Answer; delayMs: number } = { answer: { kind: 'fresh', life: 3600 }, delayMs: 0 }

  const respond = ({ answer }: typeof behaviour): TokenResponse => {
    switch (answer.kind) {
      case 'error':
        throw new TokenError(
          answer.status === 401 || answer.status === 403
            ? 'signed_out'
            : answer.status === 429
              ? 'rate_limited'
              : 'broker_error',
          `${answer.status}`,
          { status: answer.status, retryAfterMs: answer.retryAfterMs },
        )
      case 'throw':
        throw new TypeError('fetch failed')
      case 'rubbish':
        return { access_token: '' }
      case 'key':
        return { access_token: 'wys_key' }
      case 'hang':
        return { access_token: 'never' }
      default: {
        const own = order.filter((value) => value.startsWith(`wyu_${epoch}_`))
        const repeated = answer.kind === 'same' ? own.at(-1) : answer.kind === 'earlier' ? own[0] : undefined
        const value = repeated ?? `wyu_${epoch}_${order.length}`
        return { access_token: value, expires_in: answer.life as number, sub: session ?? undefined }
      }
    }
  }

  const fetchToken = ({ signal }: TokenRequest) => {
    if (user === null) problems.push('asked although nobody is signed in')
    if (closed) problems.push('asked after close()')
    inAir += 1
    if (inAir > 1) problems.push('two requests in the air')
    // A leap of the monotonic clock is time that a sleeping page missed, but not the broker.
    requestTimes.push(performance.now())
    const mine = behaviour
    const asked = { epoch, wall: Date.now(), mono: performance.now() }
    let landed = false
    const land = () => {
      if (!landed) inAir -= 1
      landed = true
    }
    // An aborted request is out of the air at once.
    signal.addEventListener('abort', land)
    return new Promise<TokenResponse>((resolve, reject) => {
      const answerNow = () => {
        try {
          const response =
            asked.epoch === epoch ? respond(mine) : { access_token: 'wyu_late', expires_in: 99 }
          order.push(response.access_token)
          const seconds = Number(response.expires_in ?? Number.NaN)
          const lifeMs = Number.isFinite(seconds) ? Math.max(seconds, 0) * 1000 : Number.POSITIVE_INFINITY
          const before = issued.get(response.access_token) ?? []
          issued.set(response.access_token, [...before, { ...asked, lifeMs, sub: response.sub ?? undefined }])
          land()
          resolve(response)
        } catch (error) {
          land()
          reject(error)
        }
      }
      if (mine.answer.kind === 'hang') return
      if (mine.delayMs === 0) answerNow()
      else setTimeout(answerNow, mine.delayMs)
    })
  }

  const source = createTokenSource({ fetchToken, user, ...settings })
  let factory = source.createTokenFactory()

  const check = (value: string) => {
    const uses = issued.get(value)
    if (!uses) {
      problems.push(`handed out ${value}, which the broker never gave`)
      return
    }
    if (value === 'wyu_late') problems.push('handed out a late answer')
    if (!uses.some((use) => use.epoch === epoch)) problems.push('handed out the token of another user')
    if (refused.has(value)) problems.push('handed out a refused token')
    const alive = uses.some(
      (use) => Math.max(Date.now() - use.wall, performance.now() - use.mono) < use.lifeMs,
    )
    if (!alive) problems.push('handed out an expired token')
    const { sub } = uses.at(-1) as Issued
    if (!sub || uses.some((use) => use.sub !== sub)) return
    const first = owners.get(user) ?? sub
    owners.set(user, first)
    if (first !== sub) problems.push('handed out the token of another session')
    if ([...owners].some(([other, owner]) => other !== user && owner === sub))
      problems.push('two users share a session')
  }

  /** Follows one call to its end. `owner` is whoever was signed in when it began. */
  const follow = (call: () => Promise<string>) => {
    const began = clocks.elapsed()
    const owner = epoch
    const promise = call().then(
      (value) => {
        if (owner !== epoch) problems.push('a caller of an earlier user got a token')
        check(value)
      },
      (error) => {
        const known = error instanceof TokenError || error === ABORTED
        if (!known) problems.push(`rejected with ${String(error)}`)
      },
    )
    const settled = promise.then(() => {
      pending.delete(settled)
      if (clocks.elapsed() - began > longestWaitMs + 1) problems.push('a caller waited too long')
    })
    pending.add(settled)
  }

  const ABORTED = new Error('aborted')
  const forget = () => {
    epoch += 1
    refused = new Set()
    factory = source.createTokenFactory()
  }
  const current = () => {
    const state = source.getState()
    return 'token' in state ? state.token : undefined
  }
  let onNext: (() => void) | undefined
  source.subscribe(() => {
    const act = onNext
    onNext = undefined
    act?.()
  })

  const take: { [S in Step as S['do']]: (step: S) => unknown } = {
    pass: ({ ms }) => pass(ms),
    jumpWall: ({ ms }) => clocks.jumpWall(ms),
    jumpMono: ({ ms }) => clocks.jumpMono(ms),
    ask: ({ minValidityMs }) => follow(() => source.getToken(minValidityMs ? { minValidityMs } : undefined)),
    askAndAbort: () => {
      const abort = new AbortController()
      follow(() => source.getToken({ signal: abort.signal }))
      abort.abort(ABORTED)
    },
    refuse: () => {
      const rejected = current()
      if (!rejected) return
      refused.add(rejected)
      follow(() => source.getToken({ rejected }))
    },
    refuseEarlier: () => {
      const rejected = order.find((value) => value.startsWith(`wyu_${epoch}_`))
      if (!rejected) return
      refused.add(rejected)
      follow(() => source.getToken({ rejected }))
    },
    refuseAndAsk: () => {
      take.refuse({ do: 'refuse' })
      follow(() => source.getToken())
    },
    factory: () => follow(() => factory(false)),
    factoryTrue: () => follow(() => factory(true)),
    user: (step) => {
      if (step.user === user) return
      user = step.user
      forget()
      source.setUser(step.user)
    },
    session: (step) => {
      session = step.user && `sub-${step.user}`
    },
    clear: () => {
      forget()
      owners.delete(user)
      source.clear()
    },
    hide: () => page.hide(),
    show: () => page.show(),
    offline: () => page.goOffline(),
    online: () => page.goOnline(),
    store: () => page.store(),
    restore: () => page.restore(),
    listenerClears: () => {
      onNext = () => take.clear({ do: 'clear' })
    },
    listenerAsks: () => {
      onNext = () => follow(() => source.getToken())
    },
    broker: ({ answer, delayMs }) => {
      behaviour = { answer, delayMs }
    },
  }

  for (const step of steps) {
    await take[step.do](step as never)
    // A token that was handed out before a step is not what the step is about.
    for (let i = 0; i < 20; i++) await null
    const state = source.getState()
    if (state !== source.getState()) problems.push('the state changed its reference without a change')
    if ('token' in state) check(state.token)
    if (
      state.status === 'signed-out' &&
      user !== null &&
      !['signed_out', 'other_user'].includes(state.error.code)
    )
      problems.push('signed out for another reason')
  }
  onNext = undefined
  await pass(longestWaitMs + 1)
  if (pending.size) problems.push('a caller never settled')
  source.close()
  closed = true
  // What the scripted broker still has to say is not the source's.
  const asked = requestTimes.length
  expect(page.counted.listeners).toBe(0)
  await pass(HOUR)
  if (requestTimes.length !== asked) problems.push('asked after close()')
  if (peakPerMinute(requestTimes) > 30) problems.push(`${peakPerMinute(requestTimes)} requests in a minute`)
  expect(vi.getTimerCount()).toBe(0)
  expect(problems).toEqual([])
}

const afresh = () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
}

test('no expired, refused or foreign token is handed out, whatever happens', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  await fc.assert(
    fc
      .asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.record({
          maxWaitMs: fc.constantFrom(0, 1000, 15_000),
          timeoutMs: fc.constantFrom(1000, 10_000),
        }),
        live,
      )
      .afterEach(afresh),
    runs(3000),
  )
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
}, 120_000)

/** Nothing but what costs requests, without a pause longer than ten seconds. */
const hostile: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 10_000 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['refuse', 'refuseAndAsk', 'factoryTrue', 'clear', 'online', 'show'] as const)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('user' as const),
      user: fc.constantFrom('a' as const, 'b' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('broker' as const),
      answer,
      delayMs: fc.constant(0),
    }),
  },
)

test('a hostile app, for a simulated hour: never more than 30 requests in any 60 s', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.array(hostile, { minLength: 2900, maxLength: 3000 }), (steps) =>
        live(steps, { maxWaitMs: 15_000, timeoutMs: 10_000 }),
      )
      .afterEach(afresh),
    { ...runs(3), endOnFailure: true },
  )
}, 120_000)
