import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { asUser, issueToken } from './requests.js'

const END = '\u001e'

let weavy: StandInWeavy
beforeEach(async () => {
  weavy = await createStandInWeavy()
})
afterEach(() => weavy.close())

function openSocket(token: string) {
  return new WebSocket(`${weavy.url.replace('http', 'ws')}/hubs/rtm?id=1&access_token=${token}`)
}

interface Received {
  type?: number
  target?: string
  invocationId?: string
}

/** Opens a connection as SignalR's client does. */
async function connect(uid: string) {
  const { access_token: token } = await issueToken(weavy, uid, { name: uid })
  const socket = openSocket(token)
  const events: Received[] = []
  let answered: (message: Received) => void
  socket.on('message', (data) => {
    for (const text of String(data).split(END).slice(0, -1)) {
      const message = JSON.parse(text) as Received
      if (message.type === 1) events.push(message)
      else answered(message)
    }
  })
  /** What came before the answer is in `events` when it resolves. */
  const ask = (message: object) =>
    new Promise<Received>((resolve) => {
      answered = resolve
      socket.send(JSON.stringify(message) + END)
    })
  await once(socket, 'open')
  expect(await ask({ protocol: 'json', version: 1 })).toEqual({})
  const invoke = (target: string, name: string) =>
    ask({ type: 1, target, invocationId: '7', arguments: [name] })
  return { token, socket, events, invoke }
}

async function findConversation(token: string, name: string) {
  const response = await asUser(weavy, token, `/api/apps?q=${name}`)
  const { data } = (await response.json()) as { data: { id: number }[] }
  return data[0]?.id
}

async function post(token: string, id: number | undefined, text: string) {
  const init = { method: 'POST', body: JSON.stringify({ text }) }
  expect((await asUser(weavy, token, `/api/apps/${id}/messages`, init)).status).toBe(201)
}

test('negotiates WebSockets alone, for a living token alone', async () => {
  const { access_token } = await issueToken(weavy, 'alice')
  const negotiate = () =>
    asUser(weavy, access_token, '/hubs/rtm/negotiate?negotiateVersion=1', { method: 'POST' })
  expect(await (await negotiate()).json()).toMatchObject({
    negotiateVersion: 1,
    connectionToken: expect.any(String),
    availableTransports: [{ transport: 'WebSockets' }],
  })
  weavy.revokeAll()
  expect((await negotiate()).status).toBe(401)
  expect(weavy.requests.at(-1)).toMatchObject({ kind: 'negotiate', status: 401, refused: 'revoked' })
})

test('a socket with a dead token is refused before it opens', async () => {
  const { access_token } = await issueToken(weavy, 'alice')
  weavy.revokeAll()
  const [error] = await once(openSocket(access_token), 'error')
  expect(String(error)).toContain('401')
  expect(weavy.requests.at(-1)).toMatchObject({
    kind: 'hub',
    path: '/hubs/rtm',
    status: 401,
    refused: 'revoked',
  })
  expect(weavy.hubs).toBe(0)
})

test('an event reaches those who subscribed to it, for as long as they do', async () => {
  const alice = await connect('alice')
  const bob = await connect('bob')
  const id = await findConversation(alice.token, 'crew')
  const name = `a${id}:message_created`
  expect(await alice.invoke('Subscribe', name)).toEqual({ type: 3, invocationId: '7', result: true })
  expect(await bob.invoke('Subscribe', 'message_created')).toMatchObject({ result: true })

  await post(bob.token, id, 'to all')
  await alice.invoke('Unsubscribe', name)
  await post(bob.token, id, 'to those who still listen')
  await alice.invoke('Subscribe', 'typing')
  await bob.invoke('Unsubscribe', 'message_created')

  const event = (target: string, text: string) => ({
    type: 1,
    target,
    arguments: [{ action: 'message_created', actor: { uid: 'bob' }, message: { text, app: { id } } }],
  })
  expect(alice.events).toMatchObject([event(name, 'to all')])
  expect(bob.events).toMatchObject([
    event('message_created', 'to all'),
    event('message_created', 'to those who still listen'),
  ])
})

test('a message of a private conversation is told to its members alone', async () => {
  const alice = await connect('alice')
  const bob = await connect('bob')
  for (const { invoke } of [alice, bob]) await invoke('Subscribe', 'message_created')
  await post(alice.token, await findConversation(alice.token, 'Sam'), 'psst')
  for (const { invoke } of [alice, bob]) await invoke('Subscribe', 'typing')
  expect(alice.events).toHaveLength(1)
  expect(bob.events).toEqual([])
})

test('messages that arrive in one piece are all read', async () => {
  const alice = await connect('alice')
  const subscribe = (name: string) => JSON.stringify({ type: 1, target: 'Subscribe', arguments: [name] })
  alice.socket.send(subscribe('typing') + END + subscribe('message_created') + END)
  const id = await findConversation(alice.token, 'crew')
  await alice.invoke('Unsubscribe', 'typing')
  await post(alice.token, id, 'hello')
  await alice.invoke('Unsubscribe', 'message_created')
  expect(alice.events).toHaveLength(1)
})

test('a connection outlives its token', async () => {
  const alice = await connect('alice')
  weavy.revokeAll()
  expect(await alice.invoke('Subscribe', 'online')).toMatchObject({ result: true })
  expect(weavy.hubs).toBe(1)
})

test('dropHubs cuts every connection without a closing handshake and says how many', async () => {
  const alice = await connect('alice')
  const bob = await connect('bob')
  expect(weavy.hubUids()).toEqual(['alice', 'bob'])
  const closed = Promise.all([once(alice.socket, 'close'), once(bob.socket, 'close')])
  expect(weavy.dropHubs()).toBe(2)
  expect(weavy.hubs).toBe(0)
  for (const [code] of await closed) expect(code).toBe(1006)
})

test('a connection that its client closes is gone', async () => {
  const alice = await connect('alice')
  const bob = await connect('bob')
  alice.socket.close()
  await once(alice.socket, 'close')
  await bob.invoke('Subscribe', 'online')
  expect(weavy.hubUids()).toEqual(['bob'])
})

test('is recorded as 101, without the token of its URL', async () => {
  await connect('alice')
  expect(weavy.requests.at(-1)).toMatchObject({ kind: 'hub', path: '/hubs/rtm', status: 101, uid: 'alice' })
  expect(JSON.stringify(weavy.requests)).not.toContain('wyu_')
})
