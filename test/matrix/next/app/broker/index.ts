import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { createTokenBroker, toUid } from 'weavy-token/broker'

export const broker = createTokenBroker({
  weavyUrl: process.env.WEAVY_URL,
  apiKey: process.env.WEAVY_APIKEY,
  user: async () => {
    const jar = await cookies()
    const id = jar.get('sid')?.value
    if (id === 'nobody') redirect('/sign-in')
    if (!id) return null
    // A session that is renewed whenever it is read.
    jar.set('renewed', id)
    return { uid: toUid(id), name: 'Ada' }
  },
})
