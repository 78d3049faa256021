import { createTokenSource, type TokenSourceOptions } from 'weavy-token'
import { type HeldSource, holdSource } from './held-source.js'
import { lateOptions } from './late-options.js'

/** How long a source that was asked for a token waits for its provider to be mounted. */
const UNMOUNTED_MS = 60_000
/** How many answers may come for a render that was thrown away. */
const MAX_IN_VAIN = 3

/**
 * Sources of providers that were rendered and not mounted yet, with the options that they were made of.
 *
 * React throws a first render away when a child suspends and nothing between the two catches it, and renders the
 * provider anew for its next try. With a new source each time, a child that waits for a token would wait for ever.
 *
 * Only for one that was asked while a child rendered. What nobody asks holds nothing that has to be closed, and is not
 * another's: React may commit providers that are rendered beside each other long before it shows them.
 */
const unmounted = new Map<HeldSource, OwnOptions>()

/** What a provider makes a source of. */
export interface OwnOptions extends Omit<TokenSourceOptions, 'tokenUrl'> {
  /**
   * As the option of a source. `null`: not known yet; nothing is fetched, and the status is `fetching`. Whoever asks waits,
   * and is rejected with `closed` when it changes: the source is another one then.
   */
  tokenUrl?: TokenSourceOptions['tokenUrl'] | null
}

const isSame = (a: OwnOptions, b: OwnOptions): boolean =>
  (Object.keys({ ...a, ...b }) as (keyof OwnOptions)[]).every((name) => Object.is(a[name], b[name]))

/** A request that waits for a tokenUrl. It ends with its source. */
const pending = {
  fetchToken: () => new Promise<never>(() => {}),
  timeoutMs: 2 ** 31 - 1,
  maxWaitMs: 2 ** 31 - 1,
}

/** The source for a provider's options: that of a render which was thrown away, or a new one. */
export function ownSource(options: OwnOptions): HeldSource {
  const { tokenUrl, user } = options
  let inVain = 0
  for (const [held, earlier] of unmounted) {
    const { status } = held.source.getState()
    if (status === 'empty' || held.isOwned()) continue
    if (isSame(earlier, options)) return held
    if (status !== 'fetching' && earlier.tokenUrl === tokenUrl && Object.is(earlier.user, user)) inVain += 1
  }
  if (inVain >= MAX_IN_VAIN)
    throw new Error(
      'A component below <WeavyTokenProvider> suspends until there is a token, and React renders the provider anew each time. Put a <Suspense> between the two.',
    )

  const latest = { current: options }
  const source = createTokenSource(
    tokenUrl === null ? { ...pending, user } : lateOptions({ ...options, tokenUrl }, latest),
  )
  let timer: ReturnType<typeof setTimeout> | undefined
  const forget = () => {
    clearTimeout(timer)
    unmounted.delete(held)
  }
  const held = holdSource(source, latest, forget)
  // On a server nothing is mounted, and the next render may be another user's.
  if (typeof window === 'undefined') return held
  const keep = () => {
    if (held.isUnmounted()) {
      if (source.getState().status === 'empty') return forget()
      timer = setTimeout(() => {
        forget()
        held.end()
      }, UNMOUNTED_MS)
      // In Node, where components are tested, it keeps no process.
      Object(timer).unref?.()
      unmounted.set(held, options)
    }
    stop()
  }
  const stop = source.subscribe(keep)
  // The next try may come without a pause.
  unmounted.set(held, options)
  queueMicrotask(keep)
  return held
}
