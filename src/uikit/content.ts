import type { TokenError } from '../errors.js'
import type { Session } from '../internals.js'
import { superseded } from '../machine/sending.js'
import type { WeavyLike } from './weavy.js'

/** Of whom the content is that the UIKit keeps in `sessionStorage`. Missing: nobody knows. */
const OWNER = 'weavy-token:user'
const CONTENT = 'WEAVY_'
/** The UIKit writes that late, or as late as its `staleTime` says, and a little more. */
const STALE_MS = 1000
const SLACK_MS = 250
/** More than the UIKit takes to restore what it keeps. */
const RESTORED_AFTER_MICROTASKS = 20

/** The two halves have little in common but the text. */
const hashOf = (text: string) =>
  [0x811c9dc5, 0x2545f491]
    .map((seed) => {
      let hash = seed
      for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193)
      return (hash >>> 0).toString(36)
    })
    .join('.')

const ownerOf = ({ user }: Session) => hashOf(String(user))

/** Some browsers throw where storage is blocked. */
function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage)
  } catch {
    return undefined
  }
}

const keysOf = (storage: Storage) => Object.keys(storage).filter((key) => key.startsWith(CONTENT))

const own = (storage: Storage, session: Session) => storage.setItem(OWNER, ownerOf(session))

const empty = (storage: Storage) => {
  for (const key of [...keysOf(storage), OWNER]) storage.removeItem(key)
}

/** Ends what a user began and has not sent: a file that is still hashed, a message that waits for the network. */
function dropMutations(weavy: WeavyLike, over = superseded()) {
  const cache = weavy.queryClient?.getMutationCache()
  for (const mutation of cache?.getAll() ?? []) {
    // Removed, it would still run.
    mutation.setOptions({ ...mutation.options, mutationFn: () => Promise.reject(over) })
    cache?.remove(mutation)
  }
}

async function resetQueries(weavy: WeavyLike): Promise<void> {
  if (weavy.reset) return weavy.reset()
  await weavy.queryClient?.cancelQueries()
  await weavy.queryClient?.resetQueries()
}

/** What the UIKit has of a user: in its caches, and in `sessionStorage`. */
export function createContent(weavy: WeavyLike) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const leave = () => {
    clearTimeout(timer)
    timer = undefined
  }

  /** Drops all that is of the user before, and has the components ask again. */
  const forget = (session: Session, over?: TokenError) => {
    dropMutations(weavy, over)
    leave()
    withStorage((storage) => {
      empty(storage)
      // A closed source keeps no timer. What is written then belongs to nobody, and is dropped by whoever connects next.
      if (session.over) return
      // The UIKit writes late: what it is about to write is older than this.
      timer = setTimeout(
        () => {
          empty(storage)
          own(storage, session)
        },
        (weavy.staleTime ?? STALE_MS) + SLACK_MS,
      )
      ;(timer as { unref?: () => void }).unref?.()
    })
    // Fails only when the instance is destroyed meanwhile, and it shows nothing then.
    resetQueries(weavy).catch(() => {})
  }

  return {
    forget,
    /** Drops what an earlier page left behind for another user, before it is shown. */
    async claim(session: Session) {
      const isForeign = withStorage((storage) => {
        // What was kept while nobody was signed in is nobody's.
        if (session.user !== null && storage.getItem(OWNER) === ownerOf(session)) return false
        if (keysOf(storage).length) return true
        own(storage, session)
        return false
      })
      if (!isForeign) return
      forget(session)
      if (weavy.reset) return
      // Versions without reset() have read what they kept, and restore it in a moment.
      for (let n = 0; n < RESTORED_AFTER_MICROTASKS; n++) await undefined
      if (timer) forget(session)
    },
    /** Whoever connects the instance next looks after what is left. */
    leave,
  }
}
