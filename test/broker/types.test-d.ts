import { getRequestListener } from '@hono/node-server'
import type express from 'express'
import { assertType } from 'vitest'
import { createTokenBroker, type TokenBrokerOptions } from 'weavy-token/broker'

type User = TokenBrokerOptions['user']

// The app's own interface, which has no index signature.
interface AppUser {
  uid: string
  name: string
  roles: string[]
}
declare const appUser: AppUser
assertType<User>(() => appUser)
assertType<User>(async () => appUser)
assertType<User>(async (request) => (request.headers.has('cookie') ? appUser : null))
// Fields beyond a profile's, in place.
assertType<User>(() => ({ uid: 'u1', name: 'Ann', plan: 'free' }))
// @ts-expect-error a uid is a string: toUid(1)
assertType<User>(() => ({ uid: 1 }))
// @ts-expect-error a name is a string
assertType<User>(() => ({ uid: 'u1', name: 1 }))

// What a Node server's adapter hands on is the context, without a cast of the handler.
const broker = createTokenBroker<{ incoming: unknown }>({
  weavyUrl: 'https://weavy.example',
  apiKey: 'wys_1',
  user: (_request, { incoming }) => ({ uid: (incoming as express.Request).path }),
})
getRequestListener(broker.fetch, { overrideGlobalObjects: false })
