import { Hono } from 'hono'
import { list, matching, notFound, type UserEnv } from './answers.js'
import type { Content } from './content.js'
import { createConversationsApi } from './conversations-api.js'
import { publish } from './events.js'
import type { Hub } from './hub.js'
import { blobShape, reactionShapes, userShape } from './shapes.js'

/** What UIKit 25 may show; later versions decide for themselves. */
const FEATURES = ['attachments', 'mentions', 'previews', 'reactions', 'receipts', 'typing']

/** Everything below `/api` that a user token opens, as far as the UIKit asks for it. */
export function createUserApi(content: Content, hub: Hub): Hono<UserEnv> {
  const api = new Hono<UserEnv>()

  // `max-age` in the query lets the browser keep the answer that long.
  api.get('/user', (c) => {
    const maxAge = Number(c.req.query('max-age'))
    if (maxAge > 0) c.header('Cache-Control', `max-age=${maxAge}`)
    return c.json(userShape(c.var.user))
  })
  api.get('/users', (c) => list(c, matching(c, [...content.users.values()].map(userShape))))
  api.get('/users/:id', (c) => {
    const id = c.req.param('id')
    const user = [...content.users.values()].find((one) => one.uid === id || String(one.id) === id)
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
    const { user } = c.var
    const id = Number(c.req.param('id'))
    const mine = [...content.conversations.values()].filter(({ members }) => members.has(user))
    const conversation = mine.find(({ messages }) => messages.some((message) => message.id === id))
    const message = conversation?.messages.find((one) => one.id === id)
    if (!conversation || !message) return notFound(c)
    const entity = { id, type: 'message' }
    if (c.req.method === 'POST') {
      const { content: reaction } = await c.req.json()
      message.reactions.set(user, String(reaction))
      publish(hub, conversation, 'reaction_added', user, { entity, reaction })
    } else if (c.req.method === 'DELETE' && message.reactions.delete(user)) {
      publish(hub, conversation, 'reaction_removed', user, { entity })
    }
    return list(c, reactionShapes(message))
  })
  return api
}
