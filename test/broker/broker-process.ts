// A broker as an app would run it, in a process of its own. Its signed-in user is the cookie.
import { serve } from '@hono/node-server'
import { createKeyv } from '@keyv/redis'
import { createTokenBroker } from '../../src/broker/index.js'

const { REDIS_URL, WEAVY_URL, WEAVY_APIKEY } = process.env

const broker = createTokenBroker({
  weavyUrl: WEAVY_URL,
  apiKey: WEAVY_APIKEY,
  store: createKeyv(REDIS_URL, { throwOnErrors: true }),
  user: (request) => ({ uid: request.headers.get('cookie') ?? '' }),
})

serve({ fetch: (request) => broker.fetch(request), hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.send?.(`http://127.0.0.1:${port}/api/token`)
})
process.on('disconnect', () => process.exit())
