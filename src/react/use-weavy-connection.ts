import { useEffect } from 'react'
import { connectWeavy, type WeavyLike } from 'weavy-token'
import { internalsOf } from '../internals.js'
import { useSharedSource } from './context.js'

/**
 * Keeps a `Weavy` instance in step with the nearest {@link WeavyTokenProvider}, as `connectWeavy` does, for as long as
 * the component is mounted. Several components may connect one instance.
 *
 * @param weavy what `useWeavy()` of `@weavy/uikit-react` returns: `undefined` at first
 * @throws {Error} while rendering, without a provider above
 * @example
 * ```tsx
 * import { useWeavy, WyMessenger } from '@weavy/uikit-react'
 * import { useWeavyConnection } from 'weavy-token/react'
 *
 * export function Messenger() {
 *   useWeavyConnection(useWeavy({ url: 'https://your-environment.weavy.io' }))
 *   return <WyMessenger />
 * }
 * ```
 */
export function useWeavyConnection(weavy: WeavyLike | null | undefined): void {
  const { source, isKnown } = useSharedSource('useWeavyConnection')
  useEffect(() => {
    // useWeavy goes on returning an instance that the app has destroyed, and a provider a source that the app has closed.
    return weavy && isKnown && !weavy.isDestroyed && !internalsOf(source).session().over
      ? connectWeavy(source, weavy)
      : undefined
  }, [source, isKnown, weavy])
}
