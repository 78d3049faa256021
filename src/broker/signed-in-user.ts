import { Problem } from './problem.js'
import type { Profile } from './profile.js'
import { isA } from './safely.js'
import { isControlFlow, thrownProblem, thrownResponse } from './thrown.js'
import { checkUid } from './uid.js'
import { type Budget, TimeoutError } from './within.js'

/** How long the app may take to tell who is signed in. */
export const USER_TIMEOUT_MS = 8_000

const MAX_SUB_LENGTH = 256

export interface SignedInUser {
  /** Checked. */
  uid: string
  /** The name of the user for pages, where the app gives one. */
  sub: string | undefined
  /** What goes to Weavy. */
  profile: Profile
}

/** Checks what `user` returned. @throws {Problem} @throws {InvalidUidError} */
export function readUser(found: unknown, pickProfile: (found: Profile) => Profile): SignedInUser {
  const { uid, sub } = found as Profile
  if (typeof uid === 'number' || typeof uid === 'bigint') {
    throw new Problem('invalid_user', 'The uid of user() must be a string. Make it with toUid(id).')
  }
  if (typeof uid !== 'string') {
    const advice = 'A Response is to be thrown.'
    throw new Problem('invalid_user', `user() must return an object with a uid, or null. ${advice}`)
  }
  const isSub = typeof sub === 'string' && sub !== '' && sub.length <= MAX_SUB_LENGTH
  if (sub !== undefined && sub !== null && !isSub) {
    throw new Problem(
      'invalid_user',
      `The sub of user() must be a string of 1 to ${MAX_SUB_LENGTH} characters.`,
    )
  }
  return { uid: checkUid(uid), sub: isSub ? sub : undefined, profile: pickProfile(found as Profile) }
}

/**
 * Asks the app who is signed in and checks what it says. A `Response` that `user` throws is returned.
 *
 * @throws {Problem} when nobody is, when `user` fails, or when Weavy could not take what it returns
 * @throws what Next.js steers with, as it is
 */
export async function signedInUser(
  user: () => unknown,
  pickProfile: (found: Profile) => Profile,
  budget: Budget,
): Promise<SignedInUser | Response> {
  try {
    const found = await budget.within(USER_TIMEOUT_MS, user())
    if (!found) throw new Problem('not_signed_in')
    return readUser(found, pickProfile)
  } catch (error) {
    if (isA(error, TimeoutError)) {
      throw new Problem('user_timeout', `user() did not settle within ${USER_TIMEOUT_MS} ms.`)
    }
    if (isControlFlow(error)) throw error
    const response = thrownResponse(error)
    if (response) return response
    throw thrownProblem(error)
  }
}
