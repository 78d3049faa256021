/** The app's own id of a user; `null`: nobody is signed in; `undefined`: whoever the broker says. */
export type User = string | number | null | undefined

/** Ids are compared as strings: `5` is `'5'`. */
export const isSameUser = (a: User, b: User): boolean =>
  a === b || (a != null && b != null && String(a) === String(b))

interface Known {
  readonly user: User
  readonly sub: string
  /** The app said so. Otherwise it is the first that the broker answered for this user. */
  readonly isGiven: boolean
}

/** Which `sub` belongs to which user, for the last eight users, the latest first. One `sub` belongs to one user. */
export type Subs = readonly Known[]

const MAX_USERS = 8

const knownOf = (subs: Subs, user: User) => subs.find((known) => isSameUser(known.user, user))

export const subOf = (subs: Subs, user: User): string | undefined => knownOf(subs, user)?.sub

/** What a `sub` says of a token: it is this user's, somebody else's, or, without a `user`, the next one's. */
export type Whose = 'ours' | 'other' | 'next'

export function whose(subs: Subs, user: User, sub: string | undefined): Whose {
  if (sub === undefined) return 'ours'
  const known = knownOf(subs, user)
  if (known) return known.sub === sub ? 'ours' : user === undefined ? 'next' : 'other'
  const isTaken = subs.some((known) => known.user !== undefined && known.sub === sub)
  return isTaken && user !== undefined ? 'other' : 'ours'
}

export const learn = (subs: Subs, user: User, sub: string | undefined, isGiven = false): Subs => {
  if (sub === undefined || user === null) return subs
  const known = knownOf(subs, user)
  if (known?.sub === sub && !isGiven) return subs
  const others = subs.filter((other) => other !== known && !(isGiven && other.sub === sub))
  return [{ user, sub, isGiven }, ...others].slice(0, MAX_USERS)
}

/** Forgets what the broker answered for this user, not what the app said. */
export const unlearn = (subs: Subs, user: User): Subs =>
  subs.filter((known) => known.isGiven || !isSameUser(known.user, user))
