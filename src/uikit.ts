import { internalsOf } from './internals.js'
import type { TokenSource } from './types.js'
import { type Connection, connect } from './uikit/connection.js'
import { instanceOf, type WeavyLike } from './uikit/weavy.js'

export type { WeavyLike } from './uikit/weavy.js'

const CONNECTION = Symbol.for('weavy-token.connection')

/**
 * Keeps a `Weavy` instance of `@weavy/uikit-web` in step with a source, for as long as it is connected.
 *
 * The UIKit caches a token until Weavy refuses it. A connected instance asks the source instead before each request, so
 * none goes out with an expired token. Each request carries a token of its own: a refusal, however late, is about
 * exactly that token, and costs one refresh for all requests that carried it. What the user may not see costs
 * one refresh a minute.
 *
 * A request belongs to the user for whom it began. After `setUser`, `clear` or `close` it is aborted and rejects with
 * `superseded` (or `closed`), is never sent again, and neither is a file that the UIKit still hashes or a message that
 * it kept for later; its cached content is gone, in `sessionStorage` too, and its hub reconnects. Content that an
 * earlier page of the same tab left behind for another `user` is dropped when the instance is connected.
 *
 * Connecting an instance again replaces the connection; connecting it again to the same source shares it. It ends by
 * itself when the instance is destroyed or the source closed.
 *
 * @param weavy an instance of UIKit 19 to 32, also of another frame, or a `<wy-context>` element
 * @returns `disconnect()`, which leaves the instance as it was before, and no token of the source in it
 * @throws {TypeError} when `weavy` cannot take a `tokenFactory`, or is destroyed, or `source` is closed
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * ```ts
 * import { Weavy } from '@weavy/uikit-web'
 * import { connectWeavy, createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token', user: session.userId })
 * const weavy = new Weavy()
 * weavy.url = 'https://your-environment.weavy.io'
 * const disconnect = connectWeavy(source, weavy)
 * ```
 */
export function connectWeavy(source: TokenSource, weavy: WeavyLike): () => void {
  if (internalsOf(source).session().over) throw new TypeError('source is closed')
  const instance = instanceOf(weavy) as WeavyLike & { [CONNECTION]?: Connection }
  const existing = instance[CONNECTION]
  if (existing?.source === source) return join(existing)
  existing?.end()
  const connection = connect(source, instance, existing?.session)
  Object.defineProperty(instance, CONNECTION, { value: connection, configurable: true })
  return join(connection)
}

function join(connection: Connection): () => void {
  connection.users += 1
  let left = false
  return () => {
    if (left) return
    left = true
    connection.users -= 1
    if (connection.users === 0) connection.end()
  }
}
