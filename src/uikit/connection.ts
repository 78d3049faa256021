import { createForbidden } from '../forbidden.js'
import { internalsOf, type Session, type SourceInternals } from '../internals.js'
import { factoryFor } from '../token-factory.js'
import type { TokenSource } from '../types.js'
import { call, type Room } from './call.js'
import { createContent } from './content.js'
import { CALLS, type Calls } from './view.js'
import { patch, type WeavyLike } from './weavy.js'

/** Kept on the instance, so that no registry is needed. What remains after its end is the session that it was in. */
export interface Connection {
  readonly source: TokenSource | undefined
  readonly session: Session
  users: number
  end(): void
}

/** What stands in place of the instance's own getToken(), and may stay after the end. */
type GetToken = NonNullable<WeavyLike['getToken']> & { own?: WeavyLike['getToken'] }

const reportMisfit = () =>
  globalThis.reportError?.(new TypeError('weavy does not ask its getToken(): a refresh may wait for a 401'))

/** Connects an instance that is not connected. `before` is the session that it was connected in last. */
export function connect(given: TokenSource, weavy: WeavyLike, before: Session | undefined): Connection {
  const internals = internalsOf(given)
  const { destroy, tokenFactory } = weavy
  const getToken = (weavy.getToken as GetToken | undefined)?.own ?? weavy.getToken
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
  let ended = false
  const content = createContent(weavy)

  const startAfresh = (over: Session['over']) => {
    room.forbidden = createForbidden()
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
    ended = true
    content.leave()
    session.signal.removeEventListener('abort', onSessionOver)
    if (!weavy.isDestroyed && weavy.tokenFactory === serve) weavy.tokenFactory = tokenFactory
    restoreCalls()
    restoreDestroy()
    if (!isKept) restoreGetToken()
  }

  const own: Calls = {}
  const calls: Calls = {}
  // For whoever asks without a call of its own: the hub and the app. An app that wrapped a method keeps what it wrapped,
  // which after the end is as good as the instance's own.
  const factory = factoryFor(source)
  // Its own getToken(), in a request that began before, keeps what it is served: that must not outlive the connection.
  let isKept = false
  let served: string | undefined
  const serve: typeof factory = async (refresh) => {
    isKept = true
    served = await factory(refresh)
    return served
  }
  const room: Room = {
    source,
    weavy,
    own,
    forbidden: createForbidden(),
    misfit() {
      room.misfit = () => {}
      restoreCalls()
      reportMisfit()
    },
  }
  for (const name of getToken ? CALLS : []) {
    const method = weavy[name] as ((...args: unknown[]) => Promise<unknown>) | undefined
    if (!method) continue
    own[name] = method as never
    calls[name] = ((...args: unknown[]) =>
      ended ? method.apply(weavy, args) : call(room, name, args)) as never
  }
  /** After the end: until the instance has another token than the last one that it was served. */
  const askOwn = async (refresh: boolean) => {
    let token = await (getToken as GetToken).call(weavy, refresh || isKept)
    // It was still on its way, and whoever asks meanwhile is given the same.
    if (isKept && weavy.getToken === get && token === served)
      token = await (getToken as GetToken).call(weavy, true)
    isKept = false
    return token
  }
  const get: GetToken = (refresh = false) => (ended ? askOwn(refresh) : factory(refresh))
  get.own = getToken
  const restoreCalls = patch(weavy, calls)
  const restoreGetToken = patch(weavy, getToken && { getToken: get })
  const restoreDestroy = patch(
    weavy,
    destroy && {
      destroy: () => {
        end()
        destroy.call(weavy)
      },
    },
  )
  if (!getToken) reportMisfit()
  weavy.tokenFactory = serve
  follow()
  if (before && before !== session) startAfresh(before.over)
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
  }
}
