const FORBIDDEN_MS = 60_000
const MAX_KEPT = 300

export type Forbidden = ReturnType<typeof createForbidden>

/**
 * What one user may not see. The UIKit takes a 403 for a dead token; a newer one changes nothing. So for a minute after
 * a 403 no refusal costs a refresh that is about the same resource, or the token that was good enough for the 403. Nor
 * does one of the same resource and token as a call that is just being sent again.
 */
export function createForbidden() {
  const until = new Map<string, number>()
  return {
    has: (resource: string, token = ''): boolean =>
      [resource, token, resource + token].some((key) => performance.now() < (until.get(key) as number)),
    /** Returns what tells how the call that is sent again with that token ended. */
    replay(resource: string, token: string): (isForbidden: boolean) => void {
      if (until.size > MAX_KEPT) until.clear()
      until.set(resource + token, Infinity)
      return (isForbidden) => {
        until.delete(resource + token)
        until.delete(resource)
        if (!isForbidden) return
        const end = performance.now() + FORBIDDEN_MS
        until.set(resource, end).set(token, end)
      }
    },
  }
}
