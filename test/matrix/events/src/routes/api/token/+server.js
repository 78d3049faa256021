import { error, redirect } from '@sveltejs/kit'
import { createTokenBroker } from 'weavy-token/broker'

const broker = createTokenBroker({
  weavyUrl: 'https://acme.weavy.io',
  apiKey: 'wys_key',
  user: (_request, { cookies }) => {
    const id = cookies.get('sid')
    if (id === 'nobody') redirect(303, '/sign-in')
    if (!id) error(401, 'Sign in first')
    cookies.set('renewed', id, { path: '/' })
    return { uid: `user-${id}` }
  },
  fetch: async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 }),
})

export const GET = broker.fetch
