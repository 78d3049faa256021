import type { TokenSource, TokenSourceOptions, TokenState } from 'weavy-token'
import { internalsOf } from '../internals.js'
import { isSameUser } from '../machine/subs.js'

/** One reference for every `empty`, so that going from one to another renders nothing. */
export const EMPTY: TokenState = Object.freeze({ status: 'empty' })

/** The newest options of a provider; its `tokenUrl` counts only when a source is made. */
export interface Latest {
  current: Omit<TokenSourceOptions, 'tokenUrl'>
}

/** A source as one provider holds it. */
export interface HeldSource {
  readonly source: TokenSource
  readonly latest: Latest
  /** Whether it is this provider's: that of the first one that React commits with it. */
  isOf(provider: object): boolean
  /** Whether a provider has been committed with it. */
  isOwned(): boolean
  isUnmounted(): boolean
  /** Makes the source the rendered user's, and opens it again when it was closed here. Called before any effect of a child. */
  follow(user: TokenSourceOptions['user'], sub: string | undefined): void
  /** The state, unless it is that of another user. */
  stateFor(user: TokenSourceOptions['user']): TokenState
  /** Sees to it that there is a token from now on. Returns its undo, which ends a source of the provider's own. */
  mount(): () => void
  /** Closes the source, unless it is mounted. */
  end(): void
}

/** @param onMount given for a source of the provider's own */
export function holdSource(source: TokenSource, latest: Latest, onMount?: () => void): HeldSource {
  let { user, sub } = latest.current
  let owner: object | undefined
  let life: 'unmounted' | 'mounted' | 'over' = 'unmounted'

  // Later, not in the listener: whoever else listens sees `empty` before `fetching`, and StrictMode's first mount is over.
  const fetchFirst = () =>
    queueMicrotask(() => {
      // The state shows how it ends.
      if (life === 'mounted' && source.getState().status === 'empty') source.getToken().catch(() => {})
    })
  const isUnmounted = () => life === 'unmounted'
  const end = () => {
    if (!isUnmounted()) return
    life = 'over'
    source.close()
  }

  return {
    source,
    latest,
    isOf(provider) {
      owner ??= provider
      return owner === provider
    },
    isOwned: () => owner !== undefined,
    isUnmounted,
    follow(next, nextSub) {
      if (life === 'over') {
        life = 'unmounted'
        internalsOf(source).reopen()
      }
      if (isSameUser(user, next) && nextSub === sub) return
      user = next
      sub = nextSub
      source.setUser(user, sub)
      // From one empty state to another nobody is told.
      fetchFirst()
    },
    stateFor(rendered) {
      const state = source.getState()
      return isSameUser(rendered, user) && state.status !== 'empty' ? state : EMPTY
    },
    mount() {
      life = 'mounted'
      onMount?.()
      const unsubscribe = source.subscribe(fetchFirst)
      fetchFirst()
      return () => {
        unsubscribe()
        life = 'unmounted'
        // Later: StrictMode and Fast Refresh mount again at once.
        if (onMount) queueMicrotask(end)
      }
    },
    end,
  }
}
