import type { Session } from '../internals.js'
import { expectLasting } from '../session.js'
import type { WeavyLike } from './weavy.js'

/** What the UIKit's requests go through. Whatever a version has of it reaches its token through `this`. */
export const CALLS = ['fetch', 'upload', 'get', 'post', 'fetchOptions'] as const

export type CallName = (typeof CALLS)[number]
export type Calls = Partial<Pick<WeavyLike, CallName>>

/**
 * A `this` for one call: the instance, but with the token, and the UIKit's own methods, of this call alone.
 *
 * Members run on the instance itself, where private ones are. When the user is gone, nothing is written any more, and
 * reading the URL, the last thing before the UIKit sends, throws.
 */
export function viewOf(weavy: WeavyLike, session: Session, own: object) {
  return new Proxy(weavy, {
    get(target, name) {
      if (name in own) return Reflect.get(own, name)
      if (name === 'url') expectLasting(session)
      return Reflect.get(target, name)
    },
    set: (target, name, value) => session.over !== undefined || Reflect.set(target, name, value),
  })
}
