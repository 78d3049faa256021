import { internalsOf, type Session, type SourceInternals } from '../internals.js'
import { factoryFor } from '../token-factory.js'
import type { TokenSource } from '../types.js'
import { call, type Room } from './call.js'
import { createContent } from './content.js'
import { createForbidden } from './forbidden.js'
import { CALLS, type Calls } from './view.js'
import { patch, type WeavyLike } from './weavy.js'

/** Kept on the instance, so that no registry is needed, also after its end. */
export interface Connection {
  readonly source: TokenSource | undefined
  /** The last one that it was in. */
  readonly session: Session
  /** The instance's own. */
  readonly getToken: WeavyLike['getToken']
  users: number
  end(): void
}

const report = (message: string) => globalThis.reportError?.(new TypeError(message))

/** Connects an instance that is not connected. `before` is its last connection. */
export function connect(given: TokenSource, weavy: WeavyLike, before: Connection | undefined): Connection {
  const internals = internalsOf(given)
  // The last connection may have left one of its own in its place.
  const { getToken } = before ?? weavy
  const { destroy, tokenFactory } = weavy
  const source: SourceInternals = {
    ...internals,
    async getToken(options) {
      const token = await internals.getToken(options)
      // For `whenTokenIsValid()`, which only the UIKit's own getToken() would settle.
      weavy._resolveTokenIsValid?.(token)
      return token
    },
  }
  let session = source.session()
  let forbidden = createForbidden()
  let ended = false
  const content = createContent(weavy)

  const startAfresh = (over: Session['over']) => {
    forbidden = createForbidden()
    content.forget(session, over)
    // What was cut off leaves it set.
    if (weavy.networkStateIsPending) weavy.networkStateIsPending = false
    weavy.disconnect?.().catch(() => {})
  }
  const follow = () => {
    session = source.session()
    session.signal.addEventListener('abort', onSessionOver)
    // Whoever was told of the switch before may have ended this one, too.
    if (session.over) onSessionOver()
  }
  const onSessionOver = () => {
    const { over } = session
    if (over?.code === 'closed') end()
    else follow()
    startAfresh(over)
  }
  const end = () => {
    if (ended) return
    ended = true
    content.leave()
    session.signal.removeEventListener('abort', onSessionOver)
    if (!weavy.isDestroyed && weavy.tokenFactory === serve) weavy.tokenFactory = tokenFactory
    restoreCalls()
    restore()
    if (isKept && getToken)
      weavy.getToken = async (refresh) => {
        const token = await getToken.call(weavy, refresh || isKept)
        isKept = false
        return token
      }
  }

  const own: Calls = {}
  const calls: Calls = {}
  // For whoever asks without a call of its own: the hub and the app.
  const factory = factoryFor(source)
  // Its own getToken(), in a request that began before, keeps what it is served: that must not outlive the connection.
  let isKept = false
  const serve: typeof factory = (refresh) => {
    isKept = true
    return factory(refresh)
  }
  const room: Room = {
    source,
    weavy,
    own,
    forbidden: () => forbidden,
    misfit() {
      room.misfit = () => {}
      restoreCalls()
      report('weavy does not ask its own getToken(): a late refusal costs one refresh more.')
    },
  }
  for (const name of getToken ? CALLS : [])
    if (weavy[name]) {
      own[name] = weavy[name] as never
      calls[name] = (...args: unknown[]) => call(room, name, args)
    }
  const restoreCalls = patch(weavy, calls)
  const restore = patch(weavy, {
    ...(getToken && { getToken: factory }),
    ...(destroy && {
      destroy: () => {
        end()
        destroy.call(weavy)
      },
    }),
  })
  if (!getToken) report('weavy has no getToken(): a refresh waits for a 401.')
  weavy.tokenFactory = serve
  follow()
  if (before && before.session !== session) startAfresh(before.session.over)
  else void content.claim(session)

  return {
    get source() {
      return ended ? undefined : given
    },
    get session() {
      return session
    },
    users: 0,
    end,
    getToken,
  }
}
