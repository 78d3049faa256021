// biome-ignore-all lint/suspicious/noExplicitAny: the UIKit's own parameter types differ between versions

interface MutationLike {
  options: any
  setOptions(options: any): void
}

/**
 * What {@link connectWeavy} needs of a `Weavy` instance of `@weavy/uikit-web`: its public surface, nothing else.
 * All but `tokenFactory` may be missing in versions to come; the instance then gets a plain factory.
 */
export interface WeavyLike {
  tokenFactory?: ((refresh: boolean) => Promise<string | null | undefined>) | null | undefined
  getToken?: ((refresh?: boolean) => Promise<string>) | undefined
  fetch?: ((...args: any[]) => Promise<Response>) | undefined
  upload?: ((...args: any[]) => Promise<Response>) | undefined
  /** What versions before 24 have in place of `fetch`. */
  get?: ((...args: any[]) => Promise<Response>) | undefined
  post?: ((...args: any[]) => Promise<Response>) | undefined
  fetchOptions?: ((...args: any[]) => Promise<RequestInit>) | undefined
  reset?: (() => Promise<void>) | undefined
  readonly queryClient?:
    | {
        cancelQueries(): Promise<void>
        resetQueries(): Promise<void>
        getMutationCache(): { getAll(): MutationLike[]; remove(mutation: any): void }
      }
    | undefined
  _resolveTokenIsValid?: ((token: string) => void) | undefined
  staleTime?: number | undefined
  networkStateIsPending?: boolean | undefined
  disconnect?: (() => Promise<void>) | undefined
  destroy?: (() => void) | undefined
  readonly isDestroyed?: boolean | undefined
}

/** The instance that was given, or that of a `<wy-context>` element. Shape decides: it may be of another frame. */
export function instanceOf(given: WeavyLike): WeavyLike {
  const { getToken, weavy, weavyContext } = Object(given)
  const instance = Object(getToken ? given : (weavy ?? weavyContext ?? given))
  if ('tokenFactoryInternal' in instance || 'environment' in instance)
    throw new TypeError('weavy keeps tokens to itself: set its tokenFactory to source.createTokenFactory()')
  if (!('tokenFactory' in instance) || instance.isDestroyed)
    throw new TypeError('weavy must be a living Weavy instance, or a defined <wy-context>')
  return instance
}

/** Puts members on an object; returns what takes off those that nobody replaced since. */
export function patch<T extends object>(target: T, members: Partial<T> = {}): () => void {
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
