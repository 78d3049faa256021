import { describeError } from './describe-error.js'
import { Problem } from './problem.js'
import { checkUid, InvalidUidError } from './uid.js'
import type { Profile } from './weavy-api.js'
import { TimeoutError, within } from './within.js'

/** How long the app may take to tell who is signed in. */
export const USER_TIMEOUT_MS = 8_000

export interface SignedInUser {
  /** Checked. */
  uid: string
  profile: Profile
}

/** Responses of other realms and of adapters are no `instanceof Response`. */
function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]'
}

function failure(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof InvalidUidError) return new Problem('invalid_user', error.message)
  if (error instanceof TimeoutError) {
    return new Problem('user_timeout', `user() did not settle within ${USER_TIMEOUT_MS} ms.`)
  }
  return new Problem('user_failed', `user() threw ${describeError(error)}`)
}

/**
 * Asks the app who is signed in and checks what it says. A `Response` that `user` throws is returned.
 *
 * @throws {Problem} when nobody is, when `user` fails, or when Weavy could not take what it returns
 */
export async function signedInUser(user: () => unknown): Promise<SignedInUser | Response> {
  try {
    const found = await within(USER_TIMEOUT_MS, user())
    if (!found) throw new Problem('not_signed_in')
    const profile = found as Profile
    if (typeof profile.uid !== 'string') {
      const advice = 'A Response is to be thrown.'
      throw new Problem('invalid_user', `user() must return an object with a uid, or null. ${advice}`)
    }
    return { uid: checkUid(profile.uid), profile }
  } catch (error) {
    if (isResponse(error)) return error
    throw failure(error)
  }
}
