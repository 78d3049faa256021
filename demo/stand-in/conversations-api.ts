import { Hono } from 'hono'
import { list, matching, notFound, type UserEnv } from './answers.js'
import { APP_TYPES, type Content, type Conversation } from './content.js'
import { publish } from './events.js'
import type { Hub } from './hub.js'
import { conversationShape, memberShapes, messageShape, userShape } from './shapes.js'

interface ConversationEnv {
  Variables: UserEnv['Variables'] & { conversation: Conversation }
}

const guidOf = (type: string): string => APP_TYPES[type as keyof typeof APP_TYPES] ?? type

/** Conversations with their members and messages, each open to its members alone. */
export function createConversationsApi(content: Content, hub: Hub): Hono<ConversationEnv> {
  const api = new Hono<ConversationEnv>()
  const all = () => [...content.conversations.values()]

  api.get('/', (c) => {
    const { user } = c.var
    const types = c.req.queries('type')
    const uids = c.req.queries('uid')
    const found = all()
      .filter(({ members, type }) => members.has(user) && (types?.includes(type) ?? true))
      .filter(({ uid }) => !uids || uids.includes(uid ?? 'false'))
      .map((conversation) => conversationShape(conversation, user))
      .filter(({ is_unread }) => is_unread || !c.req.query('unread'))
      .sort((a, b) => (b.last_message?.id ?? 0) - (a.last_message?.id ?? 0))
      .sort((a, b) => Number(b.is_pinned) - Number(a.is_pinned))
    return list(c, matching(c, found))
  })
  api.post('/', async (c) => {
    const { user } = c.var
    const { members = [], type = 'private_chat', name, uid } = await c.req.json()
    const others = [...content.users.values()].filter((one) =>
      [one.id, one.uid].some((key) => members.includes(key)),
    )
    const conversation = content.addConversation(guidOf(type), [user, ...others], { name, uid })
    publish(hub, conversation, 'app_created', user, { app: conversationShape(conversation, user) })
    return c.json(conversationShape(conversation, user), 201)
  })
  // An app that is named by its uid is open to everybody, and is there as soon as somebody asks for it.
  api.put('/:uid', async (c) => {
    const { user } = c.var
    const uid = c.req.param('uid')
    const { type, name } = await c.req.json()
    const conversation =
      all().find((one) => one.uid === uid) ?? content.addConversation(guidOf(type), [], { uid, name })
    if (!conversation.members.has(user)) conversation.members.set(user, 0)
    return c.json(conversationShape(conversation, user))
  })
  api.get('/badge', (c) => {
    const unread = all().filter(
      (one) => one.members.has(c.var.user) && conversationShape(one, c.var.user).is_unread,
    )
    const rooms = unread.filter(({ type }) => type === APP_TYPES.chat_room).length
    return c.json({ rooms, private: unread.length - rooms, bots: 0 })
  })

  api.use('/:id/*', async (c, next) => {
    const id = c.req.param('id')
    const conversation = all().find((one) => one.uid === id || String(one.id) === id)
    if (!conversation?.members.has(c.var.user)) return notFound(c)
    c.set('conversation', conversation)
    return next()
  })
  api.get('/:id', (c) => c.json(conversationShape(c.var.conversation, c.var.user)))
  api.on(['POST', 'DELETE'], '/:id/stars', (c) => {
    const { user, conversation } = c.var
    c.req.method === 'POST' ? conversation.starredBy.add(user) : conversation.starredBy.delete(user)
    return c.body(null, 204)
  })
  api.on(['PUT', 'DELETE'], '/:id/pin', (c) => {
    const { user, conversation } = c.var
    c.req.method === 'PUT' ? conversation.pinnedBy.add(user) : conversation.pinnedBy.delete(user)
    return c.body(null, 204)
  })
  api.on(['PUT', 'DELETE'], '/:id/mark', (c) => {
    const { user, conversation } = c.var
    const marked_id = Number(c.req.query('messageId') ?? 0)
    conversation.members.set(user, marked_id)
    publish(hub, conversation, 'app_marked', user, { marked_id, marked_at: new Date().toISOString() })
    return c.body(null, 204)
  })
  api.put('/:id/delivered', (c) => c.body(null, 204))
  api.put('/:id/typing', (c) => {
    const { user, conversation } = c.var
    publish(hub, conversation, 'typing', user, { entity: { id: conversation.id, type: 'app' } })
    return c.body(null, 204)
  })
  api.get('/:id/members', (c) => {
    const { members } = c.var.conversation
    if (c.req.query('member') !== 'false') return list(c, matching(c, memberShapes(c.var.conversation)))
    const others = [...content.users.values()].filter((user) => !members.has(user))
    return list(c, matching(c, others.map(userShape)))
  })
  api.get('/:id/messages', (c) => {
    const { conversation } = c.var
    return list(c, conversation.messages.map((message) => messageShape(conversation, message)).reverse())
  })
  api.post('/:id/messages', async (c) => {
    const { user, conversation } = c.var
    const { text = '', blobs } = await c.req.json()
    const attachments = [...content.blobs.values()].filter(({ id }) => blobs?.includes(id))
    const message = messageShape(conversation, content.addMessage(conversation, user, text, attachments))
    publish(hub, conversation, 'message_created', user, { message })
    return c.json(message, 201)
  })
  api.get('/:id/:list{posts|files|comments|notifications}', (c) => list(c, []))
  return api
}
