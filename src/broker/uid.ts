/** A uid that Weavy cannot take. Its message never holds the uid, so it may be logged. */
export class InvalidUidError extends TypeError {
  override readonly name = 'InvalidUidError'
}

/** Tokens are cached by uid, so its length bounds what the cache can hold. */
const MAX_LENGTH = 256

function isSignedNumber(value: unknown): boolean {
  return /^[+-]\d+$/u.test(String(value))
}

const rules: [broken: (uid: string) => boolean, message: string][] = [
  [(uid) => uid === '', 'it is empty'],
  [(uid) => uid.length > MAX_LENGTH, `it is longer than ${MAX_LENGTH} characters`],
  [(uid) => /\s/u.test(uid), 'it contains white space'],
  [(uid) => /^\d+$/u.test(uid), 'it consists of digits only'],
  // `-1` was Weavy's anonymous user, and it is what many apps call nobody.
  [isSignedNumber, 'it is a signed number'],
  // URL parsers resolve these two however they are escaped, and the request would go to another endpoint.
  [(uid) => uid === '.' || uid === '..', 'it is a relative path'],
  // Servers disagree about an escaped slash: some would take `a/b` and `a%2Fb` for the same user.
  [(uid) => /[/\\]/u.test(uid), 'it contains a slash or a backslash'],
  [(uid) => /[\p{Cc}\p{Cs}]/u.test(uid), 'it contains a control character or half a surrogate pair'],
]

/** Returns `uid` if Weavy can take it. @throws {InvalidUidError} */
export function checkUid(uid: string): string {
  if (typeof uid !== 'string') throw new InvalidUidError('The uid is not a string. Make it with toUid(id).')
  const broken = rules.find(([isBroken]) => isBroken(uid))
  if (broken) throw new InvalidUidError(`The uid cannot be used: ${broken[1]}. Make it with toUid(id).`)
  return uid
}

/**
 * Makes a Weavy uid of the app's own user id: `toUid(256)` is `'u256'`.
 *
 * The prefix is always added, also to an id that already starts with it (`toUid('u256')` is `'uu256'`), so two different
 * ids never share a uid. A number and its decimal string are the same id.
 *
 * @param prefix keeps uids of digits only, which Weavy refuses, from coming up. Users whom Weavy knows already keep their
 * uid with the prefix they have: `toUid(1, 'acmeuser-')` is `'acmeuser-1'`. @default 'u'
 * @throws {TypeError} when the id is empty, not a safe integer, a signed number, longer than 256 characters with its prefix, or contains
 * white space, control characters, a slash or a backslash. The message does not quote the id.
 * @see https://www.weavy.com/docs/learn/authentication
 * @example
 * toUid(session.userId)
 */
export function toUid(id: string | number | bigint, prefix = 'u'): string {
  const usable = typeof id === 'string' ? id !== '' : typeof id === 'bigint' || Number.isSafeInteger(id)
  if (!usable) throw new InvalidUidError('toUid() takes a string that is not empty, or a safe integer.')
  if (typeof prefix !== 'string') throw new InvalidUidError('The prefix of toUid() is a string.')
  if (isSignedNumber(id)) throw new InvalidUidError('toUid() takes no signed number: an id of -1 is nobody.')
  return checkUid(`${prefix}${id}`)
}
