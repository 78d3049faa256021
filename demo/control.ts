import type { Fault } from './stand-in/broker.js'

/** A page of the demo, with a broker of its own and, without an account, an environment of its own. */
export const LANES = ['vanilla', 'react', 'tabs', 'built-in'] as const
export type LaneName = (typeof LANES)[number]

const ACTIONS = ['begin', 'followed', 'revoke', 'drop-hub'] as const

export const LIFETIMES_S = [5, 10, 20, 60, 300, 3600] as const

/** What can be wrong with the broker. */
export const FAULTS = {
  slow: { kind: 'slow', ms: 3000 },
  down: { kind: 'down', retryAfter: 2 },
  garbage: { kind: 'garbage' },
  'same-token': { kind: 'same-token' },
  'signed-out': { kind: 'signed-out' },
} as const satisfies Record<string, Fault>
export type FaultName = keyof typeof FAULTS

export const USERS = ['alice', 'bob'] as const
/** Who is signed in at the demo's own server; null is nobody. */
export type User = (typeof USERS)[number] | null

export interface Settings {
  lifetimeSeconds: number
  fault: FaultName | null
  user: User
  /** Whether Weavy answers requests for notifications with 403. */
  forbidden: boolean
}

export const DEFAULTS: Settings = { lifetimeSeconds: 20, fault: null, user: 'alice', forbidden: false }

/**
 * What a page may ask of its lane. `begin` counts from zero, with a broker that holds no token; `followed` says that the
 * page has switched to the user who is signed in.
 */
export interface Order {
  do?: (typeof ACTIONS)[number]
  settings?: Partial<Settings>
}

/** What the servers counted since the page began. An environment of somebody else tells nothing. */
export interface Report {
  weavyUrl: string
  broker: { requests: number; refreshes: number; failed: number }
  weavy: {
    /** Tokens issued. */
    tokens: number
    /** Requests for which a token is needed, but the hub's WebSocket. */
    requests: number
    /** Those answered with 401, for a token that is dead. */
    refused: number
    /** Those answered with 403. */
    forbidden: number
    /** Those as somebody else than the user whom the page has switched to, once nothing of before is in the air. */
    wrongUser: number
    /** Hub connections that are open, and that were opened. */
    hubs: number
    hubsOpened: number
  } | null
}

const isOneOf = (values: readonly unknown[], value: unknown) => values.includes(value)

/** @throws {TypeError} for anything that a page of the demo would not send */
export function parseOrder(body: unknown): Order {
  const { do: action, settings = {}, ...rest } = (body ?? {}) as Record<string, unknown>
  const { lifetimeSeconds, fault, user, forbidden, ...others } = settings as Record<string, unknown>
  const isKnown =
    Object.keys(rest).length + Object.keys(others).length === 0 &&
    isOneOf([undefined, ...ACTIONS], action) &&
    isOneOf([undefined, ...LIFETIMES_S], lifetimeSeconds) &&
    isOneOf([undefined, null, ...Object.keys(FAULTS)], fault) &&
    isOneOf([undefined, null, ...USERS], user) &&
    isOneOf([undefined, true, false], forbidden)
  if (!isKnown) throw new TypeError('the demo knows no such order')
  return body as Order
}
