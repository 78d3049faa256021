import { getRequestListener } from '@hono/node-server'
import express from 'express'
import session from 'express-session'
import { createTokenBroker, toUid } from 'weavy-token/broker'

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

// What the adapter hands on with each request: `incoming` is the request of Express.
const broker = createTokenBroker<{ incoming: unknown }>({
  weavyUrl: process.env.WEAVY_URL,
  apiKey: process.env.WEAVY_APIKEY,
  user: (_request, { incoming }) => {
    const { userId } = (incoming as express.Request).session
    return userId ? { uid: toUid(userId), name: userId } : null
  },
})

const secret = process.env.SESSION_SECRET ?? ''
export const app = express()
app.use(session({ secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } }))
app.get('/api/token', getRequestListener(broker.fetch, { overrideGlobalObjects: false }))
// What an app has for signing in and out.
app.post('/api/session/:user', (request, response) => {
  request.session.userId = request.params.user
  response.sendStatus(204)
})
app.delete('/api/session', (request, response) => {
  request.session.destroy(() => response.sendStatus(204))
})
app.use(express.static('dist'))
