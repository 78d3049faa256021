import {
  type ReactElement,
  type ReactNode,
  useEffect,
  useImperativeHandle,
  useInsertionEffect,
  useMemo,
  useReducer,
} from 'react'
import type { TokenSource, TokenSourceOptions } from 'weavy-token'
import { SourceContext } from './context.js'
import { EMPTY, type HeldSource, holdSource } from './held-source.js'
import { type OwnOptions, ownSource } from './own-source.js'

/** Props of {@link WeavyTokenProvider}: every option of a token source, or a `source` of the app's own. */
export type WeavyTokenProviderProps = { readonly children?: ReactNode } & (OwnSourceProps | GivenSourceProps)

interface OwnSourceProps extends OwnOptions {
  readonly source?: undefined
}

type AnyProps = OwnOptions & { source?: TokenSource; children?: ReactNode }

type GivenSourceProps = { readonly source: TokenSource } & {
  readonly [Option in keyof TokenSourceOptions]?: 'belongs to createTokenSource when a source is given; switch users with source.setUser'
}

/**
 * Gives the components below it a token source, and sees to it that there is a token.
 *
 * The first token is fetched when the provider has mounted, and again after `clear()` and a change of `user`; a server
 * fetches nothing, and nor does `tokenUrl={null}`. A changed `user` switches users: already the render that brings the
 * new one shows nothing of the old one's token. A `sub` may come later: it drops a token that it proves foreign. A changed `tokenUrl` makes a new source. Functions and
 * `requestInit` are looked up at each use, so inline ones restart nothing; the numbers count when a source is made.
 *
 * Unmounting, or hiding in an `<Activity>`, closes a source that the provider made, never a `source` that it was given.
 * Shown again, it starts afresh.
 *
 * @throws {Error} while rendering, when a child without a `<Suspense>` below the provider suspends until there is a token, and inline functions keep React from ending that
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
  const { source: given, children, ...rest } = props as unknown as AnyProps
  const { user, sub } = rest
  // A URL that is made in each render is the same one.
  const tokenUrl = rest.tokenUrl?.toString() ?? rest.tokenUrl
  const options = { ...rest, tokenUrl }
  const isKnown = tokenUrl !== null

  const [round, nextRound] = useReducer((rounds: number) => rounds + 1, 0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: only these make another source
  const held = useMemo(
    () => (given ? holdSource(given, { current: options }) : ownSource(options)),
    [given, tokenUrl, round],
  )

  useInsertionEffect(() => {
    if (held.isOf(nextRound)) {
      held.latest.current = options
      return
    }
    // A hidden tree has no other effect, and React allows no update in this one.
    let isCurrent = true
    queueMicrotask(() => isCurrent && nextRound())
    return () => {
      isCurrent = false
    }
  })
  // Another provider with the same options may have been quicker.
  useEffect(() => (held.isOf(nextRound) ? held.mount() : nextRound()), [held])

  const shared = useMemo(() => {
    const getState = () => held.stateFor(user)
    // A source of the app's own may be further than it was on the server.
    const atFirst = given ? EMPTY : getState()
    return { source: held.source, isKnown, getState, getServerState: () => atFirst }
  }, [held, user, given, isKnown])

  return (
    <SourceContext.Provider value={shared}>
      <Ahead held={held} provider={nextRound} user={user} sub={sub} />
      {children}
    </SourceContext.Provider>
  )
}

interface AheadProps {
  held: HeldSource
  provider: object
  user: TokenSourceOptions['user']
  sub: string | undefined
}

const noRef = () => {}

/** Makes the source follow the provider. The first child, so that its effect runs before any of the app's. */
function Ahead({ held, provider, user, sub }: AheadProps) {
  // This is a layout effect that React 18 does not warn about on a server.
  useImperativeHandle(noRef, () => {
    if (held.isOf(provider)) held.follow(user, sub)
  }, [held, provider, user, sub])
  return null
}
