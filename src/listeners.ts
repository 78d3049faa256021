import type { TokenState } from './types.js'

/** Calls what belongs to the app. What it throws harms nobody: it goes to `reportError`, where that exists. */
export function callOut<T extends unknown[]>(call: ((...args: T) => void) | undefined, ...args: T): void {
  try {
    call?.(...args)
  } catch (error) {
    globalThis.reportError?.(error)
  }
}

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
    /** Tells every listener every state, in order, whatever they do to the source meanwhile. */
    tell(state: TokenState) {
      if (news.push(state) > 1) return
      for (const next of news)
        for (const listener of [...listeners]) if (listeners.has(listener)) callOut(listener, next)
      news.length = 0
    },
  }
}
