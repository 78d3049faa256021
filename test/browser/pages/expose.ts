import * as weavyToken from 'weavy-token'
import type { WeavyConstructor } from '../instances.js'

/** What runs in a frame, a page of its own: a UIKit and this library. */
export type Page = typeof weavyToken & { readonly Weavy: WeavyConstructor }

export function expose(Weavy: unknown) {
  Object.assign(globalThis, { page: { ...weavyToken, Weavy } })
}
