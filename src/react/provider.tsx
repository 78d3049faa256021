import {
  type ReactElement,
  type ReactNode,
  useEffect,
  useInsertionEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
} from 'react'
import { createTokenSource, type TokenSource, type TokenSourceOptions } from 'weavy-token'
import { SourceContext } from './context.js'
import { EMPTY, type HeldSource, holdSource } from './held-source.js'
import { lateOptions } from './late-options.js'

/** Props of {@link WeavyTokenProvider}: every option of a token source, or a `source` of the app's own. */
export type WeavyTokenProviderProps = { readonly children?: ReactNode } & (
  | (TokenSourceOptions & { readonly source?: undefined })
  | ({ readonly source: TokenSource } & { readonly [Option in keyof TokenSourceOptions]?: undefined })
)

/**
 * Gives the components below it a token source, and sees to it that there is a token.
 *
 * The first token is fetched when the provider has mounted, and again after `clear()` and a change of `user`; a server
 * fetches nothing. A changed `user` switches users: already the render that brings the new one shows nothing of the
 * old one's token. A changed `tokenUrl` makes a new source. `fetchToken`, `requestInit` and `fetch` are looked up at each
 * request, so inline ones restart nothing; the numbers count when a source is made.
 *
 * Unmounting, or hiding in an `<Activity>`, closes a source that the provider made, never a `source` that it was given.
 *
 * @throws {TypeError} while rendering, for options that `createTokenSource` refuses
 * @example
 * ```tsx
 * import { WeavyTokenProvider } from 'weavy-token/react'
 *
 * export const App = ({ userId }: { userId: string | null }) => (
 *   <WeavyTokenProvider tokenUrl="/api/token" user={userId}>
 *     …
 *   </WeavyTokenProvider>
 * )
 * ```
 */
export function WeavyTokenProvider(props: WeavyTokenProviderProps): ReactElement {
  const { source: given, children, ...options } = props
  const { user } = options
  const latest = useRef<TokenSourceOptions>(options)
  useInsertionEffect(() => {
    latest.current = options
  })

  const [round, nextRound] = useReducer((rounds: number) => rounds + 1, 0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: only these make another source
  const held = useMemo(
    () => holdSource(given ?? createTokenSource(lateOptions(options, latest)), user, !given),
    [given, options.tokenUrl?.toString(), round],
  )
  useEffect(() => {
    // Hidden for a while and now shown again.
    if (held.isOver()) return nextRound()
    return held.mount()
  }, [held])

  const shared = useMemo(() => {
    const getState = () => held.stateFor(user)
    // A source of the app's own may be further than it was on the server.
    const atFirst = given ? EMPTY : getState()
    return { source: held.source, getState, getServerState: () => atFirst }
  }, [held, user, given])

  return (
    <SourceContext.Provider value={shared}>
      {held.user !== user && <FollowUser held={held} user={user} />}
      {children}
    </SourceContext.Provider>
  )
}

/**
 * Makes the source follow a new user. Ahead of the children, so that its layout effect runs before any effect of
 * theirs; only where there is a switch, because React 18 warns about layout effects on a server.
 */
function FollowUser({ held, user }: { held: HeldSource; user: TokenSourceOptions['user'] }) {
  useLayoutEffect(() => held.follow(user), [held, user])
  return null
}
