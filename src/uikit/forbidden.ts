const FORBIDDEN_MS = 60_000
const MAX_KEPT = 300

export type Forbidden = ReturnType<typeof createForbidden>

/** What one user may not see, by keys of resources and tokens. Each is kept for a minute, a few hundred at once. */
export function createForbidden() {
  const until = new Map<string, number>()
  return {
    has: (...keys: string[]): boolean => keys.some((key) => performance.now() < (until.get(key) as number)),
    isLater: (key: string, than: string) => (until.get(key) as number) > (until.get(than) as number),
    drop: (key: string) => until.delete(key),
    mark(key: string, ms = FORBIDDEN_MS) {
      if (until.size > MAX_KEPT) until.clear()
      until.set(key, performance.now() + ms)
    },
  }
}
