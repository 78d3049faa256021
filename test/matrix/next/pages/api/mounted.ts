import { getRequestListener } from '@hono/node-server'
import { createTokenBroker } from 'weavy-token/broker'

// What next/headers tells is known in the app folder alone; here the request has it.
const broker = createTokenBroker({
  weavyUrl: process.env.WEAVY_URL,
  apiKey: process.env.WEAVY_APIKEY,
  user: (request) => ({ uid: `pages-${request.headers.get('cookie')?.split('=')[1]}` }),
})

export default getRequestListener(broker.fetch, { overrideGlobalObjects: false })
