const FORBIDDEN_MS = 60_000
const MAX_KEPT = 300

/** Marked whenever Weavy accepts a token. */
const ACCEPTED = '200'
const odd = (resource: string) => `401 ${resource}`

export type Forbidden = ReturnType<typeof createForbidden>

/** What one user may not see, by keys of resources and tokens. Each is kept for a minute, a few hundred at once. */
export function createForbidden() {
  const until = new Map<string, number>()
  const has = (...keys: string[]): boolean =>
    keys.some((key) => performance.now() < (until.get(key) as number))
  const drop = (key: string) => until.delete(key)
  const mark = (key: string, ms = FORBIDDEN_MS) => {
    if (until.size > MAX_KEPT) until.clear()
    until.set(key, performance.now() + ms)
  }
  return {
    has,
    drop,
    mark,
    /**
     * A resource that answers 401 to one new token after the other is odd as soon as another one is answered: until it
     * is answered itself, or for a minute, its refusals say nothing of a token.
     */
    isOdd: (resource: string) =>
      has(odd(resource)) && (until.get(ACCEPTED) as number) > (until.get(odd(resource)) as number),
    /** It answered 401 to a token, and to the one that replaced it. */
    refusedAgain: (resource: string) => mark(odd(resource)),
    answered(resource: string) {
      drop(odd(resource))
      mark(ACCEPTED)
    },
  }
}
