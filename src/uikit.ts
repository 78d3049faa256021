import { CLOSED } from './state.js'
import type { TokenFactory, TokenSource, TokenState } from './types.js'

/**
 * What {@link connectWeavy} needs of a `Weavy` instance of `@weavy/uikit-web`: its public surface, nothing else.
 * All but `tokenFactory` may be missing in versions to come; the instance then gets a plain factory.
 */
export interface WeavyLike {
  tokenFactory?: ((refresh: boolean) => Promise<string | null | undefined>) | null | undefined
  getToken?: ((refresh?: boolean) => Promise<string>) | undefined
  // biome-ignore lint/suspicious/noExplicitAny: the UIKit's own parameter types differ between versions
  fetch?: ((...args: any[]) => Promise<Response>) | undefined
  // biome-ignore lint/suspicious/noExplicitAny: as above
  upload?: ((...args: any[]) => Promise<Response>) | undefined
  reset?: (() => Promise<void>) | undefined
  /** What versions before 31 have in place of `reset`. */
  readonly queryClient?: { cancelQueries(): Promise<void>; resetQueries(): Promise<void> } | undefined
  disconnect?: (() => Promise<void>) | undefined
  destroy?: (() => void) | undefined
  readonly isDestroyed?: boolean | undefined
}

interface Connection {
  readonly source: TokenSource
  users: number
  end(): void
}

/** Carries the connection on the `getToken` that it put on the instance, so that no registry of instances is needed. */
const CONNECTION = Symbol.for('weavy-token.connection')

/** How long refusals of a replaced token may arrive. */
const LATE_MS = 10_000
/** How long a 403 explains why the UIKit asks for another token. */
const FORBIDDEN_MS = 60_000

/** Puts members on an object; returns what takes off those that nobody replaced since. */
function patch<T extends object>(target: T, members: Partial<T>): () => void {
  const own = Object.getOwnPropertyDescriptors(target) as PropertyDescriptorMap
  Object.assign(target, members)
  return () => {
    for (const [name, member] of Object.entries(members)) {
      if (target[name as keyof T] !== member) continue
      Reflect.deleteProperty(target, name)
      const before = own[name]
      if (before) Object.defineProperty(target, name, before)
    }
  }
}

/**
 * Decides which token the UIKit means when it asks for another one: it never says which was refused.
 *
 * A refusal is late, and about an earlier token, while a call that began with an earlier token is still in the air and
 * has not asked yet, but for 10 s after the replacement at most. Otherwise it is about the current token, however young
 * that is.
 */
function createMemory(getToken: TokenSource['getToken']) {
  let current: string | undefined
  let lateUntil = 0
  /** Calls in the air that began with the current token, and with an earlier one. */
  let pending = 0
  let earlier = 0
  /** How many of them have asked for another token. */
  let refused = 0
  const hand = (token: string): string => {
    if (token !== current) {
      earlier += pending
      pending = 0
      current = token
      lateUntil = performance.now() + LATE_MS
    }
    return token
  }
  const get = async () => hand(await getToken())
  return {
    get,
    async replace(): Promise<string> {
      const late = earlier > refused && performance.now() < lateUntil
      refused += 1
      return late || current === undefined ? get() : hand(await getToken({ rejected: current }))
    },
    /** Follows a call of the UIKit from its beginning to its end. */
    async follow<T>(call: () => Promise<T>): Promise<T> {
      const token = current
      pending += 1
      try {
        return await call()
      } finally {
        if (token === current) pending -= 1
        else {
          earlier -= 1
          refused = Math.max(refused - 1, 0)
        }
        if (pending + earlier === 0) refused = 0
      }
    },
  }
}

/**
 * Keeps a `Weavy` instance of `@weavy/uikit-web` in step with a source, for as long as it is connected.
 *
 * The UIKit caches a token until Weavy refuses it. A connected instance asks the source instead before each request,
 * so none goes out with an expired token; a refusal refreshes once, however many requests were in the air; and after
 * `setUser` or `clear` its cached content is gone and its hub reconnects.
 *
 * Connecting an instance again replaces the connection; connecting it again to the same source shares it. It ends by
 * itself when the instance is destroyed or the source closed.
 *
 * @returns `disconnect()`, which leaves the instance as it was before
 * @throws {TypeError} when `weavy` cannot take a `tokenFactory`, or is destroyed
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * ```ts
 * import { Weavy } from '@weavy/uikit-web'
 * import { connectWeavy, createTokenSource } from 'weavy-token'
 *
 * const source = createTokenSource({ tokenUrl: '/api/token' })
 * const weavy = new Weavy()
 * weavy.url = 'https://your-environment.weavy.io'
 * const disconnect = connectWeavy(source, weavy)
 * ```
 */
export function connectWeavy(source: TokenSource, weavy: WeavyLike): () => void {
  if (!(weavy instanceof Object) || !('tokenFactory' in weavy) || weavy.isDestroyed)
    throw new TypeError('weavy must be a living Weavy instance of @weavy/uikit-web')
  const existing = (weavy.getToken as { [CONNECTION]?: Connection } | undefined)?.[CONNECTION]
  if (existing?.source === source) {
    existing.users += 1
    return leave(existing)
  }
  existing?.end()
  const connection = connect(source, weavy)
  return leave(connection)
}

/** Empties the cache of the UIKit and has its components ask again. */
async function forgetContent(weavy: WeavyLike): Promise<void> {
  if (weavy.reset) return weavy.reset()
  await weavy.queryClient?.cancelQueries()
  await weavy.queryClient?.resetQueries()
}

function leave(connection: Connection): () => void {
  let left = false
  return () => {
    if (left) return
    left = true
    connection.users -= 1
    if (connection.users === 0) connection.end()
  }
}

function connect(source: TokenSource, weavy: WeavyLike): Connection {
  const { getToken, fetch, upload, destroy, tokenFactory } = weavy
  let memory = createMemory(source.getToken)
  let forbiddenUntil = 0
  let ended = false

  const end = () => {
    if (ended) return
    ended = true
    unsubscribe()
    if (!weavy.isDestroyed && weavy.tokenFactory === factory) weavy.tokenFactory = tokenFactory
    restore()
  }
  const connection: Connection = { source, users: 1, end }

  const replaced: TokenFactory = async (refresh = false) => {
    // A request that the user may not make tells nothing about the token; the UIKit asks for another one all the same.
    if (refresh && performance.now() >= forbiddenUntil) return memory.replace()
    return memory.get()
  }
  const followed =
    <A extends unknown[]>(call: (...args: A) => Promise<Response>) =>
    async (...args: A): Promise<Response> => {
      const response = await memory.follow(() => call.apply(weavy, args))
      if (response.status === 403) forbiddenUntil = performance.now() + FORBIDDEN_MS
      if (response.status === 401) forbiddenUntil = 0
      return response
    }
  const restore = patch(weavy, {
    ...(getToken && { getToken: Object.assign(replaced, { [CONNECTION]: connection }) }),
    ...(fetch && { fetch: followed(fetch) }),
    ...(upload && { upload: followed(upload) }),
    ...(destroy && {
      destroy: () => {
        end()
        destroy.call(weavy)
      },
    }),
  })
  if (!getToken)
    globalThis.reportError?.(
      new TypeError(
        'This Weavy instance has no getToken() to connect to: its tokenFactory is set, and asks only after a 401.',
      ),
    )
  const factory = source.createTokenFactory()
  weavy.tokenFactory = factory

  const startAfresh = () => {
    memory = createMemory(source.getToken)
    // Both fail only when the instance is destroyed meanwhile, and it shows nothing then.
    forgetContent(weavy).catch(() => {})
    weavy.disconnect?.().catch(() => {})
  }
  const unsubscribe = source.subscribe((state: TokenState) => {
    if (state === CLOSED) end()
    // Without a status it was not the broker that signed the user out, but the app.
    else if (state.status === 'empty' || (state.status === 'signed-out' && state.error.status === undefined))
      startAfresh()
  })
  return connection
}
