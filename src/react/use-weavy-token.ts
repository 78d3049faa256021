import { useMemo, useSyncExternalStore } from 'react'
import type { TokenError, TokenSource } from 'weavy-token'
import { useSharedSource } from './context.js'

/** The state of the provider's source. `status` narrows the rest, also after destructuring and by an early return. */
export type WeavyTokenState =
  /** Nothing asked yet. */
  | Without<'empty', undefined>
  /** No usable token, one on its way. */
  | Without<'fetching', undefined>
  /** A valid token, also while it is refreshed in the background. */
  | With<'ready', undefined>
  /** The refresh fails, the token is still good. */
  | With<'stale', TokenError>
  /** No usable token, the last attempt failed. */
  | Without<'failed', TokenError>
  /** Nobody is signed in, or somebody else is (`other_user`). */
  | Without<'signed-out', TokenError>

interface Without<Status, E> {
  readonly status: Status
  readonly token: undefined
  readonly expiresAt: undefined
  readonly error: E
}

interface With<Status, E> {
  readonly status: Status
  readonly token: string
  /** Epoch ms, `null` when unknown. */
  readonly expiresAt: number | null
  readonly error: E
}

/** What {@link useWeavyToken} returns: the state, and functions that stay the same for the life of the source. */
export type WeavyToken = WeavyTokenState &
  Pick<TokenSource, 'getToken' | 'tokenFactory' | 'clear'> & { readonly source: TokenSource }

/**
 * The token of the nearest {@link WeavyTokenProvider}, and the functions of its source.
 *
 * Renders once per change of the state; the object is the same one while nothing changes. However many components use
 * it, there is one request.
 *
 * @throws {Error} while rendering, without a provider above
 * @example
 * ```tsx
 * import { useWeavyToken } from 'weavy-token/react'
 *
 * export function Status() {
 *   const { status, error, clear } = useWeavyToken()
 *   if (status !== 'signed-out') return <p>{error?.message ?? status}</p>
 *   if (error.code === 'other_user') return <button onClick={() => location.reload()}>Reload</button>
 *   return <button onClick={clear}>Try again</button>
 * }
 * ```
 */
export function useWeavyToken(): WeavyToken {
  const { source, getState, getServerState } = useSharedSource('useWeavyToken')
  const state = useSyncExternalStore(source.subscribe, getState, getServerState)
  return useMemo(() => {
    const { getToken, tokenFactory, clear } = source
    const absent = { token: undefined, expiresAt: undefined, error: undefined }
    return { ...absent, ...state, getToken, tokenFactory, clear, source } as WeavyToken
  }, [state, source])
}
