import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { asUser, issueToken } from './requests.js'

interface Listed {
  id: number
  name: string
  is_unread: boolean
  is_pinned: boolean
  last_message: { text: string }
}

let weavy: StandInWeavy
beforeEach(async () => {
  weavy = await createStandInWeavy()
})
afterEach(() => weavy.close())

async function signIn(uid: string, name: string) {
  const { access_token } = await issueToken(weavy, uid, { name })
  const send = async (method: string, path: string, body?: object) => {
    const init = body ? { method, body: JSON.stringify(body) } : { method }
    const response = await asUser(weavy, access_token, path, init)
    return { status: response.status, json: response.status === 204 ? null : await response.json() }
  }
  const list = async (query = '') => (await send('GET', `/api/apps${query}`)).json.data as Listed[]
  const find = async (other: string) => (await list()).find(({ name: theirs }) => theirs === other)?.id
  return { send, list, find }
}

describe('a new user', () => {
  test('finds private conversations that name nobody else, and a shared one', async () => {
    const alice = await signIn('alice', 'Alice')
    const bob = await signIn('bob', 'Bob')
    expect((await alice.list()).map(({ name }) => name)).toEqual(['Robin Vega', 'Sam Lind', 'Launch crew'])
    expect(JSON.stringify(await alice.list())).toContain('Thanks, Alice.')
    expect(JSON.stringify(await bob.list())).toContain('Thanks, Bob.')
    const privately = async (user: typeof bob) => {
      const id = await user.find('Sam Lind')
      return JSON.stringify((await user.send('GET', `/api/apps/${id}/messages`)).json)
    }
    expect(await privately(alice)).not.toContain('Bob')
    expect(await privately(bob)).not.toContain('Alice')
    expect(await alice.find('Launch crew')).toBe(await bob.find('Launch crew'))
  })

  test('cannot open a conversation of somebody else', async () => {
    const alice = await signIn('alice', 'Alice')
    const bob = await signIn('bob', 'Bob')
    const id = await alice.find('Sam Lind')
    for (const path of ['', '/messages', '/members'])
      expect((await bob.send('GET', `/api/apps/${id}${path}`)).status).toBe(404)
  })
})

describe('messages', () => {
  test('a sent one is the newest, moves its conversation to the top and is unread for the others alone', async () => {
    const alice = await signIn('alice', 'Alice')
    const bob = await signIn('bob', 'Bob')
    const id = await alice.find('Launch crew')
    const sent = await alice.send('POST', `/api/apps/${id}/messages`, { text: 'a < b & c' })
    expect(sent).toMatchObject({
      status: 201,
      json: { app: { id }, text: 'a < b & c', html: '<p>a &lt; b &amp; c</p>', created_by: { uid: 'alice' } },
    })
    const { json } = await bob.send('GET', `/api/apps/${id}/messages?order_by=id+desc&skip=0`)
    expect(json.data[0].text).toBe('a < b & c')
    expect((await bob.list())[0]).toMatchObject({ id, is_unread: true })
    expect((await alice.list())[0]).toMatchObject({ id, is_unread: false })
    await bob.send('PUT', `/api/apps/${id}/mark?messageId=${sent.json.id}`)
    expect((await bob.list())[0]).toMatchObject({ id, is_unread: false })
  })

  test('come in pages of 25, newest first', async () => {
    const alice = await signIn('alice', 'Alice')
    const id = await alice.find('Launch crew')
    for (let n = 1; n <= 30; n++) await alice.send('POST', `/api/apps/${id}/messages`, { text: `no. ${n}` })
    const first = (await alice.send('GET', `/api/apps/${id}/messages?skip=0`)).json
    expect(first).toMatchObject({ start: 0, end: 25, count: 33 })
    const second = (await alice.send('GET', `/api/apps/${id}/messages?skip=${first.end}`)).json
    expect(second).toMatchObject({ start: 25, end: 33, count: 33 })
    const texts = [...first.data, ...second.data].map(({ text }: { text: string }) => text)
    expect(texts.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, n) => `no. ${30 - n}`))
  })

  test('carry what was uploaded before', async () => {
    const { access_token } = await issueToken(weavy, 'alice', { name: 'Alice' })
    const form = new FormData()
    form.append('blob', new File(['hello'], 'a.txt', { type: 'text/plain' }))
    const upload = await asUser(weavy, access_token, '/api/blobs', { method: 'POST', body: form })
    const blob = (await upload.json()) as { id: number }
    expect(blob).toMatchObject({ name: 'a.txt', media_type: 'text/plain', size: 5 })
    const alice = await signIn('alice', 'Alice')
    const id = await alice.find('Launch crew')
    const sent = await alice.send('POST', `/api/apps/${id}/messages`, { text: '', blobs: [blob.id] })
    expect(sent.json.attachments).toMatchObject({ count: 1, data: [{ name: 'a.txt', app: { id } }] })
  })

  test('keep one reaction of each user', async () => {
    const alice = await signIn('alice', 'Alice')
    const id = await alice.find('Launch crew')
    const message = (await alice.send('GET', `/api/apps/${id}/messages`)).json.data[0].id
    await alice.send('POST', `/api/messages/${message}/reactions`, { content: '👍' })
    const changed = await alice.send('POST', `/api/messages/${message}/reactions`, { content: '🎉' })
    expect(changed.json).toMatchObject({ count: 1, data: [{ content: '🎉', created_by: { uid: 'alice' } }] })
    expect((await alice.send('DELETE', `/api/messages/${message}/reactions`)).json.count).toBe(0)
  })
})

describe('conversations', () => {
  test('a pinned one comes first', async () => {
    const alice = await signIn('alice', 'Alice')
    const id = await alice.find('Launch crew')
    await alice.send('PUT', `/api/apps/${id}/pin`)
    expect((await alice.list())[0]).toMatchObject({ id, is_pinned: true })
    await alice.send('DELETE', `/api/apps/${id}/pin`)
    expect((await alice.list()).at(-1)).toMatchObject({ id, is_pinned: false })
  })

  test('a new one is there for all its members', async () => {
    const alice = await signIn('alice', 'Alice')
    const bob = await signIn('bob', 'Bob')
    const { json } = await alice.send('POST', '/api/apps', { type: 'private_chat', members: ['bob'] })
    expect(json.name).toBe('Bob')
    expect(await bob.find('Alice')).toBe(json.id)
  })

  test('one that is named by a uid is made on first use, shared, and left out where uids are', async () => {
    const alice = await signIn('alice', 'Alice')
    const bob = await signIn('bob', 'Bob')
    const made = await alice.send('PUT', '/api/apps/support', { type: 'chat', name: 'Support' })
    const found = await bob.send('PUT', '/api/apps/support', { type: 'chat' })
    expect(found.json).toMatchObject({ id: made.json.id, uid: 'support', name: 'Support' })
    const names = async (query: string) => (await bob.list(query)).map(({ name }) => name)
    expect(await names('?uid=support')).toEqual(['Support'])
    expect(await names('?uid=false')).not.toContain('Support')
  })

  test('are counted and searched', async () => {
    const alice = await signIn('alice', 'Alice')
    expect((await alice.send('GET', '/api/apps?count_only=true&unread=true')).json).toEqual({ count: 3 })
    expect((await alice.list('?q=crew')).map(({ name }) => name)).toEqual(['Launch crew'])
    expect((await alice.send('GET', '/api/conversations/badge')).json).toEqual({
      rooms: 1,
      private: 2,
      bots: 0,
    })
  })
})

describe('people', () => {
  test('members are those of the conversation, the others those who can be added, none is an agent', async () => {
    const alice = await signIn('alice', 'Alice')
    await signIn('bob', 'Bob')
    const id = await alice.find('Sam Lind')
    const names = async (query: string) => {
      const { json } = await alice.send('GET', `/api/apps/${id}/members${query}`)
      return json.data.map(({ name }: { name: string }) => name).sort()
    }
    expect(await names('')).toEqual(['Alice', 'Sam Lind'])
    expect(await names('?member=false')).toEqual(['Bob', 'Robin Vega'])
    expect(await names('?member=false&bot=true')).toEqual([])
    expect((await alice.send('GET', '/api/users?q=bo')).json.data).toMatchObject([{ uid: 'bob' }])
    expect((await alice.send('GET', '/api/users/bob')).json.name).toBe('Bob')
    expect((await alice.send('GET', '/api/users/nobody')).status).toBe(404)
  })
})
