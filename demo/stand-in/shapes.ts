import { APP_TYPES, type Blob, type Conversation, type Message, type User } from './content.js'

const PAGE_SIZE = 25

/** One page of a list in Weavy's form. */
export function page<T>(items: readonly T[], skip = 0) {
  const data = items.slice(skip, skip + PAGE_SIZE)
  return { data, start: skip, end: skip + data.length, count: items.length }
}

/** `display_name` is what UIKit 25 shows, `name` what came later. */
export function userShape({ id, uid, name, profile, createdAt }: User) {
  return { ...profile, id, uid, name, display_name: name, created_at: createdAt.toISOString() }
}

export function blobShape({ id, name, mediaType, size }: Blob) {
  return { id, name, media_type: mediaType, size }
}

export function memberShapes({ members, createdAt }: Conversation) {
  return [...members].map(([user, marked_id]) => ({
    ...userShape(user),
    access: 'write',
    presence: 'active',
    marked_id,
    marked_at: createdAt.toISOString(),
  }))
}

export function reactionShapes({ reactions }: Message) {
  return [...reactions].map(([user, content]) => ({ content, created_by: userShape(user) }))
}

export function messageShape({ id: appId }: Conversation, message: Message) {
  const { id, text, createdBy, createdAt, attachments } = message
  const created_at = createdAt.toISOString()
  const files = attachments.map((blob) => ({
    ...blobShape(blob),
    app: { id: appId },
    kind: 'file',
    preview_format: 'none',
    created_at: blob.createdAt.toISOString(),
    is_subscribed: false,
    is_starred: false,
    is_trashed: false,
  }))
  return {
    id,
    app: { id: appId },
    text,
    html: `<p>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</p>`,
    plain: text,
    attachments: page(files),
    reactions: page(reactionShapes(message)),
    is_starred: false,
    is_subscribed: true,
    is_trashed: false,
    created_at,
    created_by: userShape(createdBy),
  }
}

/** A conversation as this user sees it: a private chat has the other one's name. */
export function conversationShape(conversation: Conversation, viewer: User) {
  const { id, uid, type, members, messages, createdAt, starredBy, pinnedBy } = conversation
  const last = messages.at(-1)
  const other = [...members.keys()].find((member) => member !== viewer)
  const name = type === APP_TYPES.private_chat ? (other?.name ?? viewer.name) : conversation.name
  return {
    id,
    uid,
    rev: 1,
    type,
    name,
    display_name: name,
    description: '',
    access: 'write',
    permissions: ['list', 'read', 'create', 'update', 'delete'],
    created_at: createdAt.toISOString(),
    updated_at: (last?.createdAt ?? createdAt).toISOString(),
    members: page(memberShapes(conversation)),
    last_message: last && messageShape(conversation, last),
    is_unread: Boolean(last && last.id > (members.get(viewer) ?? 0)),
    is_pinned: pinnedBy.has(viewer),
    is_starred: starredBy.has(viewer),
    is_subscribed: true,
    is_trashed: false,
  }
}
