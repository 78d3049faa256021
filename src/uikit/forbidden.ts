const FORBIDDEN_MS = 60_000
const MAX_FORBIDDEN = 100

export type Forbidden = ReturnType<typeof createForbidden>

/**
 * The resources that one user may not see. The UIKit takes a 403 for a dead token; a newer one changes nothing, so the
 * next 403 of the same resource costs no refresh for a minute.
 */
export function createForbidden() {
  const until = new Map<string, number>()
  /** Calls that are sent again with a newer token. How they end tells whether the next refusal is about that token. */
  const replays = new Map<string, { token: string; over: Promise<void> }>()
  return {
    async has(resource: string, token: string | undefined): Promise<boolean> {
      const replay = replays.get(resource)
      if (replay?.token === token) await replay?.over
      return performance.now() < (until.get(resource) ?? 0)
    },
    /** Returns what tells how the replay ended. */
    replay(resource: string, token: string): (isForbidden: boolean) => void {
      let settle = () => {}
      const replay = { token, over: new Promise<void>((resolve) => (settle = resolve)) }
      replays.set(resource, replay)
      return (isForbidden) => {
        if (replays.get(resource) === replay) replays.delete(resource)
        until.delete(resource)
        if (isForbidden) until.set(resource, performance.now() + FORBIDDEN_MS)
        if (until.size > MAX_FORBIDDEN) until.delete(until.keys().next().value as string)
        settle()
      }
    },
  }
}
