import { createMemoryStore, MEMORY_STORE_ENTRIES, type TokenStore } from './store.js'
import type { Flight } from './user-tokens.js'

/** What all brokers of this process share. Its keys name environment and user, so that several brokers do not meet. */
export interface ProcessMemory {
  /** The default store; beside a store of the app's, what this process knows while that one fails. */
  readonly tokens: TokenStore
  /** Which profile this process has sent last, as a digest. */
  readonly profiles: TokenStore
  /** The call to Weavy that is under way for a user. */
  readonly flights: Map<string, Flight>
  /** Counts up: tells whether a read began before or after a write of this process, however coarse the clock. */
  turn: number
}

/** The number is that of the shape: two versions of this library may be in one process. */
const NAME = Symbol.for('weavy-token.broker.memory.1')

/**
 * One per process, whoever imports this module: bundlers give a route, a server action and a server component each an instance of
 * its own, and `forget()` in one has to be heard in the others.
 */
export function processMemory(): ProcessMemory {
  const home = globalThis as { [NAME]?: ProcessMemory }
  home[NAME] ??= {
    tokens: createMemoryStore(MEMORY_STORE_ENTRIES),
    profiles: createMemoryStore(MEMORY_STORE_ENTRIES),
    flights: new Map(),
    turn: 0,
  }
  return home[NAME]
}

/** Workers forbid to wait for what another request has opened; and whose request is cancelled never lands. */
export const sharesFlights = () => !('WebSocketPair' in globalThis)
