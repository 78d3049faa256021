import type { TokenSource, TokenSourceOptions, TokenState } from 'weavy-token'

/** One reference for every `empty`, so that going from one to another renders nothing. */
export const EMPTY: TokenState = Object.freeze({ status: 'empty' })

/** A source as one provider holds it. */
export interface HeldSource {
  readonly source: TokenSource
  /** Whom the source has followed to. */
  readonly user: TokenSourceOptions['user']
  /** Whether the source was closed here: it cannot be mounted again. */
  isOver(): boolean
  /** Switches the source to the user who was rendered. */
  follow(user: TokenSourceOptions['user']): void
  /** The state, unless it is that of another user. */
  stateFor(user: TokenSourceOptions['user']): TokenState
  /** Sees to it that there is a token from now on. Returns its undo, which closes a source that is `own`. */
  mount(): () => void
}

export function holdSource(source: TokenSource, first: TokenSourceOptions['user'], own: boolean): HeldSource {
  let user = first
  let life: 'unmounted' | 'mounted' | 'over' = 'unmounted'

  // Later, not in the listener: whoever else listens sees `empty` before `fetching`, and StrictMode's first mount is over.
  const fetchFirst = () =>
    queueMicrotask(() => {
      // The state shows how it ends.
      if (life === 'mounted' && source.getState().status === 'empty') source.getToken().catch(() => {})
    })

  return {
    source,
    get user() {
      return user
    },
    isOver: () => life === 'over',
    follow(next) {
      user = next
      source.setUser(next)
    },
    stateFor(rendered) {
      const state = source.getState()
      return rendered === user && state.status !== 'empty' ? state : EMPTY
    },
    mount() {
      life = 'mounted'
      const unsubscribe = source.subscribe(fetchFirst)
      fetchFirst()
      return () => {
        unsubscribe()
        life = 'unmounted'
        if (own)
          queueMicrotask(() => {
            // StrictMode and Fast Refresh mount again at once.
            if (life !== 'unmounted') return
            life = 'over'
            source.close()
          })
      }
    },
  }
}
