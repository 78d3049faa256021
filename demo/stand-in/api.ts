import { type Context, Hono } from 'hono'
import type { Content, User } from './content.js'
import { createConversationsApi } from './conversations-api.js'
import type { Hub } from './hub.js'
import { blobShape, page, reactionShapes, userShape } from './shapes.js'

export interface UserEnv {
  Variables: { user: User }
}

/** What UIKit 25 may show; later versions decide for themselves. */
const FEATURES = ['attachments', 'mentions', 'previews', 'reactions', 'receipts', 'typing']

export const notFound = (c: Context) => c.json({ status: 404, title: 'Not Found' }, 404)

/** Answers with a page of these, or with their number alone. */
export const list = (c: Context, items: readonly object[]) =>
  c.json(c.req.query('count_only') ? { count: items.length } : page(items, Number(c.req.query('skip') ?? 0)))

/** Everything below `/api` that a user token opens, as far as the UIKit asks for it. */
export function createUserApi(content: Content, hub: Hub): Hono<UserEnv> {
  const api = new Hono<UserEnv>()

  api.get('/user', (c) => c.json(userShape(c.var.user)))
  api.get('/users', (c) => {
    const q = (c.req.query('q') ?? '').toLowerCase()
    const found = [...content.users.values()].filter(({ name }) => name.toLowerCase().includes(q))
    return list(c, found.map(userShape))
  })
  api.get('/users/:id', (c) => {
    const id = c.req.param('id')
    const user = content.users.get(id) ?? [...content.users.values()].find((other) => String(other.id) === id)
    return user ? c.json(userShape(user)) : notFound(c)
  })
  api.get('/features/:type', (c) => c.json(FEATURES))
  api.get('/notifications', (c) => list(c, []))
  api.put('/notifications/mark', (c) => c.body(null, 204))
  api.post('/blobs', async (c) => {
    const { blob } = await c.req.parseBody()
    if (!(blob instanceof File)) return c.json({ status: 400, title: 'The form has no file named blob' }, 400)
    return c.json(blobShape(content.addBlob(blob.name, blob.type || 'application/octet-stream', blob.size)))
  })

  const conversations = createConversationsApi(content, hub)
  api.route('/apps', conversations)
  api.route('/conversations', conversations) // what UIKit 25 calls them
  api.on(['GET', 'POST', 'DELETE'], '/messages/:id/reactions', async (c) => {
    const id = Number(c.req.param('id'))
    const conversation = [...content.conversations.values()].find(
      ({ members, messages }) => members.has(c.var.user) && messages.some((message) => message.id === id),
    )
    const message = conversation?.messages.find((one) => one.id === id)
    if (!message) return notFound(c)
    if (c.req.method === 'POST') message.reactions.set(c.var.user, String((await c.req.json()).content))
    if (c.req.method === 'DELETE') message.reactions.delete(c.var.user)
    return list(c, reactionShapes(message))
  })
  return api
}
