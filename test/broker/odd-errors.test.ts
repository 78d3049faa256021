import { describe, expect, test, vi } from 'vitest'
import type { TokenBrokerOptions } from '../../src/broker/index.js'
import { settle } from '../settle.js'
import { ask, createTestBroker, TOKEN_URL } from './ask.js'

function revoked(target: object) {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

function fails(): never {
  throw new Error('secret')
}

const unreadable = (target: object, ...fields: string[]) => {
  for (const field of fields) Object.defineProperty(target, field, { get: fails })
  return target
}

function throwsItself() {
  const proxy: object = new Proxy(
    {},
    {
      get() {
        throw proxy
      },
    },
  )
  return proxy
}

const odd: [string, () => object][] = [
  ['an error whose name is a symbol', () => Object.assign(new Error('secret'), { name: Symbol('secret') })],
  ['an error whose message is a symbol', () => Object.assign(new Error('x'), { message: Symbol('secret') })],
  ['an error whose stack cannot be read', () => unreadable(new Error('secret'), 'stack')],
  ['an error whose stack is no text', () => Object.assign(new Error('x'), { stack: Object.create(null) })],
  ['an object that cannot be read', () => unreadable({}, 'digest', 'status', 'getResponse', 'cause', 'code')],
  ['a proxy that was revoked', () => revoked(new Error('secret'))],
  ['a proxy that throws itself', throwsItself],
]

/** Where an app's code runs, and what a page gets when it throws there. */
const places: [string, number, (fail: () => never) => Partial<TokenBrokerOptions>][] = [
  ['user', 500, (fail) => ({ user: fail })],
  ['user, later', 500, (fail) => ({ user: async () => fail() })],
  ['apiKey', 500, (fail) => ({ apiKey: fail })],
  ['fetch', 503, (fail) => ({ fetch: fail })],
  ['onEvent', 200, (fail) => ({ onEvent: fail })],
  ['onEvent, later', 200, (fail) => ({ onEvent: async () => fail() })],
  ['allowedOrigins', 200, (fail) => ({ allowedOrigins: fail })],
  ['store', 200, (fail) => ({ store: { get: fail, set: fail, delete: fail } })],
  [
    'store, later',
    200,
    (fail) => ({ store: { get: async () => fail(), set: async () => fail(), delete() {} } }),
  ],
  [
    'the profile',
    200,
    (fail) => ({ syncProfile: true, user: () => ({ uid: 'u256', metadata: { toJSON: fail } }) }),
  ],
]

describe.each(odd)('%s', (_, make) => {
  test.each(places)('thrown by %s: %i, and a line', async (place, status, options) => {
    const fail = () => {
      throw make()
    }
    const fetch = vi.fn(async () => Response.json({ access_token: 'wyu_1', expires_in: 60 }))
    const { broker, lines } = createTestBroker({ fetch, ...options(fail) })
    // The token has to be there: it cannot be asked for with this profile.
    if (place === 'the profile') await broker.token({ uid: 'u256' })
    const headers = { origin: new URL(TOKEN_URL).origin, 'sec-fetch-site': 'same-origin' }
    expect((await ask(broker, { headers })).status).toBe(status)
    await settle()
    expect(lines).toHaveLength(1)
    if (place.startsWith('user')) expect(lines[0]).toContain('user() threw')
    expect(lines.join()).not.toContain('secret')
  })

  test('of a store that tells nothing else leaves forget() an answer', async () => {
    const fail = () => {
      throw make()
    }
    const { broker } = createTestBroker({ store: { get: fail, set: fail, delete: fail } })
    vi.useFakeTimers()
    expect(await broker.forget('u256')).toBe(false)
    vi.clearAllTimers()
    vi.useRealTimers()
  })
})
