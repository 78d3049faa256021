import { Problem } from './problem.js'
import type { Profile } from './profile.js'
import type { GuardedStore } from './store.js'
import {
  parseStoredToken,
  remainingMs,
  reusableMs,
  type StoredToken,
  wasJustReplaced,
} from './stored-token.js'
import type { WeavyApi } from './weavy-api.js'
import { isThenable, TimeoutError, within } from './within.js'

/** How long a request waits for a flight. Above the sum of what the store and Weavy may take. */
export const FLIGHT_TIMEOUT_MS = 9_500

export interface UserTokens {
  /** A stored token that is good for a while yet, else a new one. */
  current(uid: string, profile: Profile): StoredToken | Promise<StoredToken>
  /** A token that nobody was handed before this call, or one that replaced another a moment ago. */
  replaced(uid: string, profile: Profile): Promise<StoredToken>
  /** Drops the stored token; what is on its way now is not stored. */
  forget(uid: string): Promise<void>
}

/** What requests for one user share while at least one of them is under way. */
interface Slot {
  readonly uid: string
  requests: number
  /** The one call to Weavy. It may begin with a look into the store, so the slot is taken before any await. */
  flight: Promise<StoredToken> | undefined
  /** The last token a flight brought: a read of the store that began before may not know it yet. */
  latest: StoredToken | undefined
  /** When all that arrived has been stored. */
  saved: Promise<void>
  /** Whether what arrives from now on may no longer be stored. */
  isForgotten: boolean
}

function newer(a: StoredToken | undefined, b: StoredToken | undefined): StoredToken | undefined {
  return a && b ? (a.issuedAt >= b.issuedAt ? a : b) : (a ?? b)
}

function isReusable(stored: StoredToken | undefined): stored is StoredToken {
  return stored !== undefined && reusableMs(stored, Date.now()) > 0
}

/** One token per user: from the store, or from Weavy with one call at a time. */
export function createUserTokens(
  weavy: WeavyApi,
  store: GuardedStore,
  keyOf: (uid: string) => string,
): UserTokens {
  const slots = new Map<string, Slot>()

  async function issue(slot: Slot, profile: Profile, isReplacement: boolean): Promise<StoredToken> {
    const issuedAt = Date.now()
    const { token, lifetimeMs } = await weavy.issueToken(slot.uid, profile)
    const now = Date.now()
    const stored = { token, issuedAt, lifetimeMs, replacedAt: isReplacement ? now : null }
    if (remainingMs(stored, now) <= 0) {
      throw new Problem('weavy_timeout', 'Issuing a token failed: it took longer than the token lives.')
    }
    // From here on the token can be in somebody's hands, who may refuse it: no refresh joins this flight any more.
    slot.flight = undefined
    slot.latest = stored
    await save(slot, stored)
    return stored
  }

  /** One write after the other, so that an older token never ends up in place of a newer one. */
  function save(slot: Slot, stored: StoredToken): Promise<void> {
    const key = keyOf(slot.uid)
    slot.saved = slot.saved.then(async () => {
      if (slot.isForgotten) return
      await store.set(key, stored, reusableMs(stored, Date.now()))
      if (slot.isForgotten) await store.delete(key)
    })
    return slot.saved
  }

  /** Joins the flight of this slot or becomes it. */
  async function fly(slot: Slot, start: () => Promise<StoredToken>): Promise<StoredToken> {
    const flight = slot.flight ?? takeOff(slot, start)
    try {
      return await within(FLIGHT_TIMEOUT_MS, flight)
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      // It may never land (some runtimes end a request's work with its client): the next request starts afresh.
      detach(slot)
      throw new Problem('weavy_timeout', `No token within ${FLIGHT_TIMEOUT_MS} ms.`)
    }
  }

  function takeOff(slot: Slot, start: () => Promise<StoredToken>): Promise<StoredToken> {
    const flight = start().finally(() => {
      if (slot.flight === flight) slot.flight = undefined
    })
    slot.flight = flight
    return flight
  }

  async function current(slot: Slot, profile: Profile, read: unknown): Promise<StoredToken> {
    const stored = parseStoredToken(await read)
    const newest = newer(slot.latest, stored)
    return isReusable(newest) ? newest : fly(slot, () => issue(slot, profile, false))
  }

  /**
   * A flight that is in the air brings a token that nobody holds yet, so nobody can have asked because of it. One that
   * has landed may have brought the very token that was refused: only a replacement is given again, for a moment.
   */
  function replaced(slot: Slot, profile: Profile): Promise<StoredToken> {
    return fly(slot, async () => {
      const stored = parseStoredToken(await store.get(keyOf(slot.uid)))
      const newest = newer(slot.latest, stored)
      const isFresh = isReusable(newest) && wasJustReplaced(newest, Date.now())
      return isFresh ? newest : issue(slot, profile, true)
    })
  }

  function detach(slot: Slot) {
    slot.isForgotten = true
    if (slots.get(slot.uid) === slot) slots.delete(slot.uid)
  }

  async function inSlot(uid: string, work: (slot: Slot) => Promise<StoredToken>): Promise<StoredToken> {
    const slot = slots.get(uid) ?? {
      uid,
      requests: 0,
      flight: undefined,
      latest: undefined,
      saved: Promise.resolve(),
      isForgotten: false,
    }
    slots.set(uid, slot)
    slot.requests += 1
    try {
      return await work(slot)
    } finally {
      slot.requests -= 1
      if (slot.requests === 0) detach(slot)
    }
  }

  return {
    current(uid, profile) {
      const read = store.get(keyOf(uid))
      // A store in this process has answered by now; nothing can happen in between that a slot would be needed for.
      const stored = isThenable(read) ? undefined : parseStoredToken(read)
      return isReusable(stored) ? stored : inSlot(uid, (slot) => current(slot, profile, read))
    },
    replaced: (uid, profile) => inSlot(uid, (slot) => replaced(slot, profile)),
    async forget(uid) {
      const slot = slots.get(uid)
      if (slot) detach(slot)
      await store.delete(keyOf(uid))
    },
  }
}
