import { type Context, Hono } from 'hono'
import { list, notFound, type UserEnv } from './api.js'
import { APP_TYPES, type Content, type Conversation, type User } from './content.js'
import type { Hub } from './hub.js'
import { conversationShape, memberShapes, messageShape, userShape } from './shapes.js'

type UserContext = Context<UserEnv>

const guidOf = (type: string): string => APP_TYPES[type as keyof typeof APP_TYPES] ?? type

/** Conversations with their members and messages, each seen by its members alone. */
export function createConversationsApi(content: Content, hub: Hub): Hono<UserEnv> {
  const api = new Hono<UserEnv>()
  const all = () => [...content.conversations.values()]

  /** Passes on the conversation that the path names, by id or uid, if this user is a member. */
  const withConversation =
    (answer: (c: UserContext, conversation: Conversation) => Response | Promise<Response>) =>
    (c: UserContext) => {
      const id = c.req.param('id')
      const conversation = all().find((one) => one.uid === id || String(one.id) === id)
      return conversation?.members.has(c.var.user) ? answer(c, conversation) : notFound(c)
    }

  /** Sets this user's flag; DELETE takes it back. */
  const flag = (of: (conversation: Conversation) => Set<User>) =>
    withConversation((c, conversation) => {
      if (c.req.method === 'DELETE') of(conversation).delete(c.var.user)
      else of(conversation).add(c.var.user)
      return c.body(null, 204)
    })

  function publish({ id, members }: Conversation, action: string, actor: User, details: object) {
    const uids = [...members.keys()].map(({ uid }) => uid)
    const event = { id: 0, action, actor: userShape(actor), ...details }
    for (const name of [action, `a${id}:${action}`]) hub.publish(uids, name, event)
  }

  api.get('/', (c) => {
    const { user } = c.var
    const q = (c.req.query('q') ?? '').toLowerCase()
    const types = c.req.queries('type')
    const uids = c.req.queries('uid')
    const found = all()
      .filter(({ members, type }) => members.has(user) && (types?.includes(type) ?? true))
      .filter(({ uid }) => !uids || (uid ? uids.includes(uid) : uids.includes('false')))
      .map((conversation) => conversationShape(conversation, user))
      .filter(
        ({ name, is_unread }) => name.toLowerCase().includes(q) && (is_unread || !c.req.query('unread')),
      )
      .sort(
        (a, b) =>
          Number(b.is_pinned) - Number(a.is_pinned) || (b.last_message?.id ?? 0) - (a.last_message?.id ?? 0),
      )
    return list(c, found)
  })
  api.post('/', async (c) => {
    const { user } = c.var
    const { members = [], type = 'private_chat', name, uid } = await c.req.json()
    const others = [...content.users.values()].filter(
      (one) => members.includes(one.id) || members.includes(one.uid),
    )
    const conversation = content.addConversation(guidOf(type), [user, ...others], { name, uid })
    publish(conversation, 'app_created', user, { app: conversationShape(conversation, user) })
    return c.json(conversationShape(conversation, user), 201)
  })
  api.get(
    '/:id',
    withConversation((c, conversation) => c.json(conversationShape(conversation, c.var.user))),
  )
  api.put('/:uid', async (c) => {
    const { user } = c.var
    const uid = c.req.param('uid')
    const { type, name } = await c.req.json()
    const conversation =
      all().find((one) => one.uid === uid) ?? content.addConversation(guidOf(type), [], { uid, name })
    if (!conversation.members.has(user)) conversation.members.set(user, 0)
    return c.json(conversationShape(conversation, user))
  })

  api.on(
    ['PUT', 'DELETE'],
    '/:id/mark',
    withConversation((c, { members }) => {
      members.set(c.var.user, Number(c.req.query('messageId') ?? 0))
      return c.body(null, 204)
    }),
  )
  api.on(
    ['POST', 'DELETE'],
    '/:id/stars',
    flag(({ starredBy }) => starredBy),
  )
  api.on(
    ['PUT', 'DELETE'],
    '/:id/pin',
    flag(({ pinnedBy }) => pinnedBy),
  )
  api.put(
    '/:id/typing',
    withConversation((c, conversation) => {
      publish(conversation, 'typing', c.var.user, { entity: { id: conversation.id, type: 'app' } })
      return c.body(null, 204)
    }),
  )
  api.get(
    '/:id/members',
    withConversation((c, conversation) => list(c, memberShapes(conversation))),
  )
  api.get(
    '/:id/messages',
    withConversation((c, conversation) =>
      list(c, conversation.messages.map((message) => messageShape(conversation, message)).reverse()),
    ),
  )
  api.post(
    '/:id/messages',
    withConversation(async (c, conversation) => {
      const { text = '', blobs } = await c.req.json()
      const attachments = [...content.blobs.values()].filter(({ id }) => blobs?.includes(id))
      const message = messageShape(
        conversation,
        content.addMessage(conversation, c.var.user, text, attachments),
      )
      publish(conversation, 'message_created', c.var.user, { message })
      return c.json(message, 201)
    }),
  )
  api.get(
    '/:id/:list{posts|files|comments|notifications}',
    withConversation((c) => list(c, [])),
  )
  return api
}
