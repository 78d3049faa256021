import type { Report } from './report.js'

/** What the app tells Weavy about a user. */
export type Profile = Record<string, unknown>

/** What Weavy's API knows of a user and a user may know of himself: no password, no `is_admin`. */
const WEAVY_FIELDS = [
  'name',
  'given_name',
  'family_name',
  'picture',
  'email',
  'phone_number',
  'comment',
  'directory',
  'metadata',
  'tags',
]
/** What the broker reads of a user and does not send as a part of the profile. */
export const RESERVED_FIELDS = ['uid', 'sub', 'expires_in']

/** So many names of dropped fields are told. */
const MAX_TOLD = 100

/**
 * Reads the fields that go to Weavy, and no others: users come from session libraries and ORMs, with a password hash in
 * them, or with their fields behind getters of a prototype. The log names a dropped field once.
 */
export function createProfilePicker(profileFields: readonly string[], report: Report) {
  const sent = [...new Set([...WEAVY_FIELDS, ...profileFields])]
  const known = new Set([...sent, ...RESERVED_FIELDS])
  const max = known.size + MAX_TOLD

  function tellDropped(found: Profile) {
    // What begins with _ or $ is the inside of an ORM's document.
    const dropped = Object.keys(found).filter((name) => !known.has(name) && /^[a-z]\w{0,39}$/i.test(name))
    if (dropped.length === 0 || known.size >= max) return
    for (const name of dropped) known.add(name)
    const names = dropped.join(', ')
    report(`Of what user() returns, not sent to Weavy: ${names}. To send a field, name it in profileFields.`)
  }

  return (found: Profile): Profile => {
    const profile: Profile = {}
    for (const name of sent) {
      const value = found[name]
      if (value !== undefined && typeof value !== 'function') profile[name] = value
    }
    tellDropped(found)
    return profile
  }
}
