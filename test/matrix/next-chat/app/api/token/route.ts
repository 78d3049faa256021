import { connection } from 'next/server'
import { createTokenBroker, toUid } from 'weavy-token/broker'
import { readSession } from '../../session'

const broker = createTokenBroker({
  weavyUrl: () => process.env.WEAVY_URL,
  apiKey: () => process.env.WEAVY_APIKEY,
  user: async (request) => {
    const session = await readSession(request)
    return session && { uid: toUid(session.userId), name: session.name }
  },
})

export async function GET(request: Request) {
  await connection()
  return broker.fetch(request)
}
