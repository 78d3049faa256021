import type { Forbidden } from '../forbidden.js'
import type { Session, SourceInternals } from '../internals.js'
import { expectLasting } from '../session.js'

/** What became of the UIKit's wish for another token. */
type Refusal = 'reported' | 'skipped'

/**
 * The token of one call, for the user for whom it began. A refusal names exactly the token that the call was handed.
 *
 * The UIKit takes a 403 for a dead token; a newer one changes nothing. So for a minute after a 403 no refusal costs a
 * refresh that is about the same resource, or the token that was good enough for the 403. Nor does one of the same
 * resource and token as a call that is just being sent again, nor one of a resource that is odd.
 *
 * @param resource what may be forbidden
 * @param isUpload it asks for another token after a 401 only
 */
export function createCallToken(
  source: SourceInternals,
  session: Session,
  forbidden: Forbidden,
  resource: string,
  isUpload: boolean,
) {
  let token = ''
  let replayed = ''
  let refusal: Refusal | undefined
  let isHealed = false
  let isSame = false
  const isOdd = () => forbidden.isOdd(resource)

  const tell = (status: 401 | 403) => source.tellRefused({ status, from: 'uikit' })
  const obtain = async (rejected?: string, orSame = false) => {
    expectLasting(session)
    const next = await source.getToken({ rejected, orSame })
    expectLasting(session)
    token = next
    return next
  }
  return {
    isAsked: () => token !== '',
    /** What the UIKit calls as `getToken`. */
    async get(refresh = false): Promise<string> {
      if (!refresh && isSame && !isHealed) return token
      if (!refresh || isHealed) return obtain()
      const isForbidden = !isUpload && forbidden.has(resource, token, resource + token)
      refusal = isForbidden || isOdd() ? 'skipped' : 'reported'
      if (refusal === 'skipped') return obtain()
      const refused = token
      // Only the answer to the call that is sent again tells a 403 from a 401.
      replayed = await obtain(refused, true)
      isSame = replayed === refused
      forbidden.mark(resource + replayed, Infinity)
      return replayed
    },
    /**
     * After a last 401: a newer token for the call, if there is one. Its refusal was taken for a 403, or what it was
     * handed instead had died with it.
     */
    async heal(): Promise<string | undefined> {
      if (!refusal || isHealed || isOdd()) return undefined
      isHealed = true
      tell(401)
      return obtain(token).catch((error) => {
        if (isSame) throw error
        return undefined
      })
    },
    /** The call was answered with that status, or failed. */
    end(status: number | undefined) {
      if (isHealed && status === 401) forbidden.refusedAgain(resource)
      else if (token && (status as number) < 400) {
        source.tellAccepted(token)
        forbidden.answered(resource)
      }
      if (refusal !== 'reported') return
      forbidden.drop(resource + replayed)
      tell(status === 403 ? 403 : 401)
      if (status !== 403) return
      if (isSame) source.tellAccepted(token)
      forbidden.mark(resource)
      forbidden.mark(replayed)
    },
  }
}
