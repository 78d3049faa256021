import { expect, test } from 'vitest'
import { type Instant, msSince } from '../../src/clock.js'
import { TokenError } from '../../src/index.js'
import type { Effect, Event } from '../../src/machine/events.js'
import {
  beginMachine,
  describe,
  isAtRest,
  type Machine,
  nextAlarm,
  usable,
} from '../../src/machine/machine.js'
import { step } from '../../src/machine/step.js'
import { HOUR, MINUTE, SECOND } from '../world.js'

/*
 * Every state that a source can reach in a number of events, each looked at once, whatever the way to it. What DESIGN calls
 * a promise is checked in each state and in each step, so a rule that holds here holds for every order of events.
 */

const SETTINGS = { refreshAheadMs: undefined, timeoutMs: 10 * SECOND, maxWaitMs: 15 * SECOND }
/** Two callers are enough to find what only happens to the second. */
const MAX_WAITERS = 2
const LIFE_S = 60

interface World {
  readonly machine: Machine
  readonly now: Instant
  /** Tokens that the broker gave, so that the next one has another name. */
  readonly given: number
  readonly asked: number
}

type Move = (world: World) => { event: Event; given?: number; later?: number } | undefined

const answer = (access_token: string, sub: string, expires_in = LIFE_S) => ({ access_token, expires_in, sub })
const subFor = ({ machine }: World) => `sub-${machine.user}`

const landed =
  (make: (world: World) => unknown, isNew: boolean): Move =>
  (world) => {
    const { flight } = world.machine
    if (!flight) return undefined
    return {
      event: { type: 'landed', flight: flight.id, answer: make(world) },
      given: world.given + Number(isNew),
      later: SECOND,
    }
  }

const failed =
  (error: TokenError): Move =>
  ({ machine: { flight } }) =>
    flight && { event: { type: 'failed', flight: flight.id, error }, later: SECOND }

const ask =
  (minValidityMs: number, rejected: (world: World) => string | undefined, orSame = false): Move =>
  (world) => {
    if (world.machine.waiters.length >= MAX_WAITERS) return undefined
    const event: Event = {
      type: 'ask',
      id: world.asked + 1,
      since: world.now,
      rejected: rejected(world),
      minValidityMs,
      orSame,
    }
    return { event }
  }

const MOVES: Record<string, Move> = {
  asks: ask(0, () => undefined),
  'asks for an hour': ask(HOUR, () => undefined),
  'refuses the current token': ask(0, ({ machine }) => machine.token?.value),
  'refuses it, and takes the same again': ask(0, ({ machine }) => machine.token?.value, true),
  'refuses an earlier token': ask(0, ({ given }) => (given > 1 ? 'wyu_1' : undefined)),
  'Weavy accepts it': ({ machine }) => ({
    event: { type: 'accepted', token: machine.insisted?.value ?? 'wyu_1' },
  }),
  leaves: ({ machine: { waiters } }) => waiters[0] && { event: { type: 'leave', id: waiters[0].id } },
  'a fresh token': landed((world) => answer(`wyu_${world.given + 1}`, subFor(world)), true),
  'the same token': landed((world) => answer(`wyu_${Math.max(world.given, 1)}`, subFor(world)), false),
  'an expired token': landed((world) => answer(`wyu_${world.given + 1}`, subFor(world), 0), true),
  "somebody else's token": landed((world) => answer(`wyu_${world.given + 1}`, 'sub-somebody'), true),
  rubbish: landed(() => ({}), false),
  'no answer': failed(new TokenError('unreachable', 'unreachable')),
  'Retry-After': failed(new TokenError('broker_error', '503', { status: 503, retryAfterMs: 20 * SECOND })),
  '401': failed(new TokenError('signed_out', '401', { status: 401 })),
  offline: failed(new TokenError('offline', 'offline')),
  'the alarm rings': ({ machine, now }) => {
    const later = nextAlarm(machine, now)
    return later === Number.POSITIVE_INFINITY ? undefined : { event: { type: 'ring' }, later }
  },
  'the request hangs': ({ machine: { flight } }) =>
    flight && {
      event: { type: 'failed', flight: flight.id, error: new TokenError('timeout', 'timeout') },
      later: SETTINGS.timeoutMs,
    },
  'a sleep': () => ({ event: { type: 'ring' }, later: 2 * HOUR }),
  visible: () => ({ event: { type: 'wake', wake: 'visible' } }),
  online: () => ({ event: { type: 'wake', wake: 'online' } }),
  stored: () => ({ event: { type: 'wake', wake: 'stored' } }),
  restored: () => ({ event: { type: 'wake', wake: 'restored' } }),
  'signs out': () => ({ event: { type: 'switch', user: null, sub: undefined } }),
  switches: ({ machine: { user } }) => ({
    event: { type: 'switch', user: user === 'a' ? 'b' : 'a', sub: undefined },
  }),
  clears: () => ({ event: { type: 'clear' } }),
  closes: () => ({ event: { type: 'close' } }),
}

/** What decides how a state goes on: ages instead of instants, and names in order of appearance. */
function essence({ machine, now }: World): string {
  const names = new Map<string, number>()
  const name = (value: string) => names.get(value) ?? names.set(value, names.size).get(value)
  const age = (instant: Instant) => Math.min(Math.round(msSince(instant, now) / SECOND), 3 * 3600)
  return JSON.stringify(machine, (key, value) => {
    if (key === 'settings' || key === 'lastFlight' || key === 'subs') return undefined
    if (key === 'id') return 0
    if (value instanceof Set) return [...value].map(name).sort()
    if (value instanceof Error) return (value as TokenError).code
    if (typeof value === 'string' && value.startsWith('wyu_')) return name(value)
    if (typeof value === 'object' && value && 'wall' in value) return age(value as Instant)
    return value
  })
}

/** What must hold of a state. */
function checkState({ machine, now }: World): string | undefined {
  const { waiters, flight, refused, rejected, isClosed } = machine
  const alarm = nextAlarm(machine, now)
  const { status } = describe(machine, now)
  const token = usable(machine, now)
  if (token && refused.has(token.value)) return 'a refused token can be handed out'
  if (isAtRest(machine) && (flight || waiters.length))
    return 'somebody waits, or a request is sent, for nobody'
  if (isClosed && alarm !== Number.POSITIVE_INFINITY) return 'a closed source has a timer'
  if (waiters.length && alarm === Number.POSITIVE_INFINITY) return 'somebody waits without an end'
  if (alarm <= 0) return 'a timer without a pause'
  if (status === 'fetching' && !flight && alarm === Number.POSITIVE_INFINITY && !machine.isAway)
    return 'fetching, with nothing on its way'
  if (machine.insisted && !refused.has(machine.insisted.value)) return 'a living token is to be tried'
  if (rejected !== undefined && !refused.has(rejected)) return 'a token is replaced that nobody refused'
  if (machine.debt.ms > 30 * SECOND) return 'more requests than the limit allows'
  return undefined
}

/** What must hold of a step. */
function checkStep(
  before: World,
  event: Event,
  after: World,
  effects: readonly Effect[],
): string | undefined {
  const waiting = (world: World) => world.machine.waiters.map(({ id }) => id)
  const gone = [...waiting(before), ...(event.type === 'ask' ? [event.id] : [])].filter(
    (id) => !waiting(after).includes(id),
  )
  const told = effects.flatMap((effect) =>
    effect.type === 'hand' || effect.type === 'reject' ? [effect.id] : [],
  )
  const left = event.type === 'leave' ? [event.id] : []
  if ([...told, ...left].sort().join() !== gone.sort().join()) return 'a caller is told twice, or never'
  const isOver = effects.some(({ type }) => type === 'begin')
  const sends = effects.filter(({ type }) => type === 'send')
  const isLanded = event.type === 'landed' || event.type === 'failed'
  if (sends.length > 1) return 'two requests in one step'
  if (sends.length && before.machine.flight && !isLanded && !effects.some(({ type }) => type === 'abort'))
    return 'a second request is sent while one is in the air'
  const sameFor = (id: number) =>
    before.machine.waiters.find((waiter) => waiter.id === id)?.orSame ??
    (event.type === 'ask' && event.orSame ? event.rejected : undefined)
  for (const effect of effects) {
    if (effect.type !== 'hand') continue
    if (sameFor(effect.id) === effect.token && after.machine.insisted?.value === effect.token) continue
    if (event.type === 'ask' && event.rejected === effect.token) return 'a caller is handed what it refused'
    if (after.machine.refused.has(effect.token)) return 'a refused token is handed out'
    if (after.machine.token?.value !== effect.token)
      return 'a token is handed out that is not the current one'
    if (!usable(after.machine, after.now)) return 'an expired token is handed out'
    if (isOver) return 'a token is handed over a switch'
  }
  if (isOver && (after.machine.waiters.length || (after.machine.token && event.type !== 'landed')))
    return 'something of the old user is left'
  const firstCall = effects.findIndex(({ type }) => ['abort', 'send', 'report', 'end'].includes(type))
  if (
    firstCall >= 0 &&
    effects.slice(firstCall).some(({ type }) => ['hand', 'reject', 'begin'].includes(type))
  )
    return 'the app is called before all inside is done'
  return undefined
}

function explore(user: string | undefined, maxDepth: number) {
  const start: World = {
    machine: beginMachine(SETTINGS, user, undefined),
    now: { wall: 5e12, mono: 5e6 },
    given: 0,
    asked: 0,
  }
  const seen = new Set([essence(start)])
  let frontier: { world: World; path: string }[] = [{ world: start, path: '' }]
  let steps = 0
  for (let depth = 1; depth <= maxDepth; depth++) {
    const next: typeof frontier = []
    for (const { world, path } of frontier)
      for (const [title, move] of Object.entries(MOVES)) {
        const made = move(world)
        if (!made) continue
        const { event, given = world.given, later = 0 } = made
        const now = { wall: world.now.wall + later, mono: world.now.mono + later }
        const before = essence(world)
        const [machine, effects] = step(world.machine, event, { ...now, random: 0.5 })
        steps += 1
        const after: World = { machine, now, given, asked: world.asked + Number(event.type === 'ask') }
        const problem = checkState(after) ?? checkStep(world, event, after, effects)
        if (problem) throw new Error(`${problem}: ${path} > ${title}`)
        if (essence(world) !== before) throw new Error(`a step changed what it was given: ${path} > ${title}`)
        const key = essence(after)
        if (seen.has(key)) continue
        seen.add(key)
        next.push({ world: after, path: `${path} > ${title}` })
      }
    frontier = next
  }
  return { states: seen.size, steps }
}

test.each([
  ['a user', 'a'],
  ['whoever the broker says', undefined],
])(
  '%s: every state within six events keeps every promise',
  (_, user) => {
    const { states, steps } = explore(user, Number(process.env.DEPTH ?? 6))
    process.stdout.write(`explored ${states} states over ${steps} steps\n`)
    expect(states).toBeGreaterThan(1000)
  },
  60_000,
)

test('the explorer finds a broken rule', () => {
  const world: World = {
    machine: {
      ...beginMachine(SETTINGS, 'a', undefined),
      isKept: true,
      waiters: [],
      wait: { since: { wall: 0, mono: 0 }, ms: 0 },
    },
    now: { wall: MINUTE, mono: MINUTE },
    given: 0,
    asked: 0,
  }
  expect(checkState(world)).toBe('a timer without a pause')
})
