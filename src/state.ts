import type { TokenError } from './errors.js'
import type { TokenState } from './types.js'

/** The state of a closed source; told from `empty` by identity. */
export const CLOSED = Object.freeze({ status: 'empty' } as const)

/** A change is something that an app would show; one failure like the one before is none. */
export const isSame = (
  a: Partial<TokenState & { token: string; expiresAt: number | null; error: TokenError }>,
  b: typeof a,
) =>
  a.status === b.status &&
  a.token === b.token &&
  a.expiresAt === b.expiresAt &&
  a.error?.code === b.error?.code &&
  a.error?.message === b.error?.message

/** Who is told of each new state. */
export function createListeners() {
  const listeners = new Set<(state: TokenState) => void>()
  /** States that listeners have not been told yet. */
  const news: TokenState[] = []
  return {
    /** Returns its undo. One function may listen more than once. */
    add(listener: (state: TokenState) => void): () => void {
      const entry: typeof listener = (state) => listener(state)
      listeners.add(entry)
      return () => {
        listeners.delete(entry)
      }
    },
    /** Tells every listener every state, in order, whatever they do to the source meanwhile. `CLOSED` is the last. */
    tell(state: TokenState) {
      if (news.push(state) > 1) return
      for (const next of news)
        for (const listener of [...listeners])
          try {
            if (listeners.has(listener)) listener(next)
          } catch (error) {
            globalThis.reportError?.(error)
          }
      if (news.includes(CLOSED)) listeners.clear()
      news.length = 0
    },
  }
}
