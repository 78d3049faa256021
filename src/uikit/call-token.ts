import type { Session, SourceInternals } from '../internals.js'
import { expectLasting } from '../session.js'
import type { Forbidden } from './forbidden.js'

/** What became of the UIKit's wish for another token. */
type Refusal = 'none' | 'reported' | 'skipped'

/**
 * The token of one call, for the user for whom it began. A refusal names exactly the token that the call was handed.
 *
 * @param resource what may be forbidden: the UIKit asks for another token after a 403, too, and nobody can tell it from
 * a 401. `undefined` when it asks after a 401 only.
 */
export function createCallToken(
  source: SourceInternals,
  session: Session,
  forbidden: Forbidden,
  resource: string | undefined,
) {
  let token: string | undefined
  let isAsked = false
  let refusal = 'none' as Refusal
  let isHealed = false
  let settleReplay = (_isForbidden: boolean) => {}

  const tell = (status: 401 | 403) => source.tellRefused({ status, from: 'uikit' })
  const obtain = async (rejected?: string) => {
    expectLasting(session)
    const next = await source.getToken({ rejected })
    expectLasting(session)
    token = next
    return next
  }
  return {
    isAsked: () => isAsked,
    isRefused: () => refusal !== 'none',
    /** What the UIKit calls as `getToken`. */
    async get(refresh = false): Promise<string> {
      isAsked = true
      if (!refresh || isHealed) return obtain()
      if (resource && forbidden.has(resource, token)) {
        refusal = 'skipped'
        return obtain()
      }
      refusal = 'reported'
      const next = await obtain(token)
      if (resource) settleReplay = forbidden.replay(resource, next)
      return next
    },
    /**
     * After a last 401: whether there is a newer token for the call. Its refusal was taken for a 403, or what it was
     * handed instead had died with it.
     */
    async heal(): Promise<boolean> {
      if (refusal === 'none' || isHealed) return false
      isHealed = true
      tell(401)
      return obtain(token).then(
        () => true,
        () => false,
      )
    },
    /** The call was answered with that status, or failed. */
    end(status: number | undefined) {
      const isForbidden = status === 403 && resource !== undefined
      settleReplay(isForbidden)
      if (refusal === 'reported') tell(isForbidden ? 403 : 401)
    },
  }
}
