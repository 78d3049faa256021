import { brokerOf } from '../broker-request.js'
import { type Session, sessionOf } from '../internals.js'
import { secureUrl } from '../token-url.js'
import type { FetchToken, TokenSourceOptions } from '../types.js'
import { digestOf } from '../wire.js'
import { PROTOCOL } from './message.js'
import { type Browser, createRoom, type Room } from './room.js'

/** A page, which may lack anything of this. */
export type Page = Partial<Browser & { readonly document: object; readonly crypto: Pick<Crypto, 'subtle'> }>

/** Options of {@link acrossTabs}. Exactly one of `tokenUrl` and `fetchToken` is required, as for a source. */
export interface AcrossTabsOptions
  extends Pick<TokenSourceOptions, 'tokenUrl' | 'fetchToken' | 'requestInit' | 'fetch'> {
  /**
   * Names what else decides whose token the broker answers: tenant, workspace. Tabs share a token only when their
   * `tokenUrl`, the `user` of their sources and this are equal. It is sent nowhere.
   *
   * Demanded with `fetchToken`, and with a `requestInit` that is a function or carries headers. `''`: nothing else
   * decides.
   * @default ''
   */
  scope?: string | undefined
}

/**
 * Makes a `fetchToken` with which all tabs of a browser share one broker request per lifetime of a token, and a tab
 * that is opened has a token at once.
 *
 * Tokens are in memory only: they travel in messages between pages of one origin, each of which could ask the broker
 * itself. They are shared between sources with the same `tokenUrl`, the same `user` and the same `scope`, and never
 * while `user` is undefined. One tab asks, the others take what it brings, with the life that then remains; one that is
 * closed, frozen, or waits in vain delays them by less than a second. `setUser(null)` in one tab ends the sharing of
 * all that was asked for before; `close()` leaves nothing. Without `BroadcastChannel`, Web Locks or `crypto.subtle`,
 * on a server, in a worker, and for a source that is not of this library, each tab asks for itself.
 *
 * Create it once, beside the source or outside of the component; several sources may share it.
 *
 * @throws {TypeError} without `scope` where that is demanded, and for what a source would refuse of the other options
 * @example
 * ```ts
 * import { createTokenSource } from 'weavy-token'
 * import { acrossTabs } from 'weavy-token/tabs'
 *
 * const source = createTokenSource({ fetchToken: acrossTabs({ tokenUrl: '/api/token' }), user: 'alice' })
 * ```
 */
export const acrossTabs = (options: AcrossTabsOptions): FetchToken => createAcrossTabs(options, globalThis)

/** @internal */
export function createAcrossTabs(options: AcrossTabsOptions, page: Page): FetchToken {
  const { tokenUrl, fetchToken, requestInit, scope } = options
  const isOpen = fetchToken || typeof requestInit === 'function' || requestInit?.headers
  if (scope === undefined ? isOpen : typeof scope !== 'string')
    throw new TypeError("scope must name what else decides whose token comes, '' if nothing does")
  const askBroker = brokerOf(options)
  const address = tokenUrl && secureUrl('tokenUrl', tokenUrl).href
  const rooms = new WeakMap<Session, Promise<Room>>()

  const enter = (session: Session, browser: Browser): Promise<Room> => {
    const { user, signal } = session
    const key = JSON.stringify([PROTOCOL, address, scope ?? '', user])
    const room =
      rooms.get(session) ??
      digestOf(key).then((name) => createRoom(`weavy-token:${name}`, session, browser, askBroker))
    if (rooms.has(session)) return room
    rooms.set(session, room)
    signal.addEventListener('abort', async () => {
      const { next } = session
      // After a `clear()`, which a sign-out may follow before the next request.
      if (next && next.user === user) void enter(next, browser)
      ;(await room).end(next?.user === null)
    })
    return room
  }

  return (request) => {
    const { user } = request
    const session = sessionOf(request)
    const { BroadcastChannel, document, navigator, crypto } = page
    // Before a page that is prerendered is shown, no lock is granted.
    const isShown = document && !(document as { prerendering?: boolean }).prerendering
    // One of another version may not know whose a token is.
    return session?.accepts &&
      user != null &&
      isShown &&
      BroadcastChannel &&
      navigator?.locks &&
      crypto?.subtle
      ? enter(session, page as Browser).then((room) => room.obtain(request))
      : askBroker(request)
  }
}
