import { Problem } from './problem.js'
import type { Profile } from './profile.js'
import type { GuardedStore } from './store.js'
import type { WeavyApi } from './weavy-api.js'
import type { Budget } from './within.js'

/** How long the broker remembers which profile it sent last. */
const PROFILE_MEMORY_MS = 7 * 24 * 60 * 60 * 1000
/** How long a request waits for its profile, store included. */
export const PROFILE_SYNC_TIMEOUT_MS = 4_000

/** Sends a profile to Weavy unless it is the one that was sent last. Never rejects: a token is worth more than a name. */
export type ProfileSync = (uid: string, profile: Profile, budget: Budget) => Promise<void>

/** The store is often shared and seldom meant for names and addresses, so it gets a digest. */
async function digestOf(profile: Profile): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(profile))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function createProfileSync(
  weavy: WeavyApi,
  store: GuardedStore,
  keyOf: (uid: string) => string,
  log: (line: string) => void,
): ProfileSync {
  const flights = new Map<string, { digest: string; landed: Promise<void> }>()

  async function send(uid: string, profile: Profile, digest: string) {
    if ((await store.get(keyOf(uid))) === digest) return
    try {
      await weavy.upsertUser(uid, profile)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      log(error.message)
      // What Weavy does not take now it will not take tomorrow; it is sent again when the app has changed it.
      if (error.code !== 'request_refused') return
    }
    await store.set(keyOf(uid), digest, PROFILE_MEMORY_MS)
  }

  async function sync(uid: string, profile: Profile) {
    const digest = await digestOf(profile)
    for (let flight = flights.get(uid); flight; flight = flights.get(uid)) {
      await flight.landed
      if (flight.digest === digest) return
    }
    const landed = send(uid, profile, digest).finally(() => flights.delete(uid))
    flights.set(uid, { digest, landed })
    await landed
  }

  return async (uid, profile, budget) => {
    try {
      await budget.within(PROFILE_SYNC_TIMEOUT_MS, sync(uid, profile))
    } catch {
      flights.delete(uid)
      log('Updating a profile failed. Check that what user() returns can be written as JSON.')
    }
  }
}
