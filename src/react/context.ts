import { createContext, useContext } from 'react'
import type { TokenSource, TokenState } from 'weavy-token'

/** What a provider shares with the hooks below it. */
export interface SharedSource {
  readonly source: TokenSource
  /** Whether the provider has been told where its tokens come from. */
  readonly isKnown: boolean
  /** What may be rendered now: the source's state, but nothing of a user who is not the provider's. */
  getState(this: void): TokenState
  /** What the server rendered, and what hydration starts from. */
  getServerState(this: void): TokenState
}

export const SourceContext = createContext<SharedSource | undefined>(undefined)

export function useSharedSource(hook: string): SharedSource {
  const shared = useContext(SourceContext)
  if (!shared)
    throw new Error(
      `${hook} found no provider. Render this component inside <WeavyTokenProvider tokenUrl="…">. If it is, two copies of weavy-token are loaded (npm ls weavy-token), or the two are in different islands, or only a server renders the provider ('use client' is missing).`,
    )
  return shared
}
