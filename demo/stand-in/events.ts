import type { Conversation, User } from './content.js'
import type { Hub } from './hub.js'
import { userShape } from './shapes.js'

/** Tells the members of a conversation what happened in it: those who watch it, and those who watch everything. */
export function publish(
  hub: Hub,
  { id, members }: Conversation,
  action: string,
  actor: User,
  details: object,
) {
  const uids = [...members.keys()].map(({ uid }) => uid)
  const event = { id: 0, action, actor: userShape(actor), ...details }
  for (const name of [action, `a${id}:${action}`]) hub.publish(uids, name, event)
}
