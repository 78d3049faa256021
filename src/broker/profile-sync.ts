import { digestOf } from '../wire.js'
import { Problem } from './problem.js'
import { sharesFlights } from './process-memory.js'
import type { Profile } from './profile.js'
import type { Report } from './report.js'
import { isA } from './safely.js'
import { type GuardedStore, type TokenStore, UNAVAILABLE } from './store.js'
import type { Environment, WeavyApi } from './weavy-api.js'
import { type Budget, TimeoutError } from './within.js'

/** How long the broker remembers which profile it sent last. */
const PROFILE_MEMORY_MS = 7 * 24 * 60 * 60 * 1000
/** How long a request waits for its profile, store included. */
export const PROFILE_SYNC_TIMEOUT_MS = 4_000

/** Sends a profile to Weavy unless it is the one that was sent last. Never rejects: a token is worth more than a name. */
export type ProfileSync = (
  environment: Environment,
  uid: string,
  profile: Profile,
  budget: Budget,
) => Promise<void>

interface Update {
  readonly environment: Environment
  readonly uid: string
  /** Of the environment and the uid: the name of the flight, and where the store has what was sent last. */
  readonly key: string
  readonly profile: Profile
}

/** What this process has sent last. */
interface Sent {
  readonly digest: string
  /** What the store said after it. While that is so, nobody has sent another one. */
  readonly stored: unknown
}

/** The same fields in another order are the same profile. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** @param store missing when the memory of the process is the store */
export function createProfileSync(
  weavy: WeavyApi,
  store: GuardedStore | undefined,
  memory: TokenStore,
  keyOf: (environment: Environment, uid: string) => string,
  report: Report,
): ProfileSync {
  const flights = new Map<string, { digest: string; landed: Promise<void> }>()

  async function send({ environment, uid, key, profile }: Update, digest: string) {
    const stored = store ? await store.get(key) : UNAVAILABLE
    const sent = memory.get(key) as Sent | undefined
    const isOwnWord = stored === UNAVAILABLE || stored === sent?.stored
    if (stored === digest || (isOwnWord && sent?.digest === digest)) return
    try {
      await weavy.upsertUser(environment, uid, profile)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (error.logLine !== undefined) report(error.logLine)
      // What Weavy does not take now it will not take tomorrow; it is sent again when the app has changed it.
      if (error.code !== 'request_refused') return
    }
    // What another process has written meanwhile is there, too.
    const isThere = (found: unknown) => typeof found === 'string' && found !== stored
    const isStored = await store?.set(key, digest, PROFILE_MEMORY_MS, { isThere })
    memory.set(key, { digest, stored: isStored ? digest : stored }, PROFILE_MEMORY_MS)
  }

  async function sync(update: Update) {
    const { key, profile } = update
    // The store is often shared and seldom meant for names and addresses, so it gets a digest.
    const digest = String(await digestOf(JSON.stringify(profile, sorted)))
    for (let flight = flights.get(key); flight; flight = flights.get(key)) {
      await flight.landed
      if (flight.digest === digest) return
    }
    const landed = send(update, digest).finally(() => {
      if (flights.get(key)?.landed === landed) flights.delete(key)
    })
    if (sharesFlights()) flights.set(key, { digest, landed })
    await landed
  }

  function note(key: string, error: unknown) {
    flights.delete(key)
    if (isA(error, TimeoutError))
      report('Updating a profile took too long: the token was sent without waiting.')
    else report('Updating a profile failed. Check that what user() returns can be written as JSON.')
  }

  return async (environment, uid, profile, budget) => {
    // Server code may know no more than the uid. That says nothing about a name.
    if (Object.keys(profile).length === 0) return
    // While profiles fail, a call that sees whether they work again holds nobody up.
    const isAwaited = weavy.takesProfiles(uid)
    const key = keyOf(environment, uid)
    const synced = sync({ environment, uid, key, profile })
    const noted = Promise.resolve(budget.within(PROFILE_SYNC_TIMEOUT_MS, synced)).catch((error) =>
      note(key, error),
    )
    if (isAwaited) await noted
  }
}
