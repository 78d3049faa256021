import { describe, expect, test } from 'vitest'
import type { BrokerUser } from '../../src/broker/index.js'
import { ask, createTestBroker } from './ask.js'
import { createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

const known = {
  name: 'Ada Lovelace',
  given_name: 'Ada',
  family_name: 'Lovelace',
  picture: 'https://app.example/ada.png',
  email: 'ada@app.example',
  phone_number: '+44 1',
  comment: 'first',
  directory: 'acme',
  metadata: { team: 'engine' },
  tags: ['math'],
}

/** The profile that goes to Weavy of what `user()` returns. */
async function sentOf(user: object, options = {}) {
  const { broker, lines } = createTestBroker({ user: () => user as BrokerUser, ...options })
  expect((await ask(broker)).status).toBe(200)
  const { expires_in, ...profile } = weavy.calls.at(-1)?.body ?? {}
  expect(expires_in).toBe(3600)
  return { profile, lines, broker }
}

describe('what goes to Weavy of a user', () => {
  test('is every field that Weavy knows of one, and not uid, sub', async () => {
    const { profile, lines } = await sentOf({ uid: 'u1', sub: 'public-name', ...known })
    expect(profile).toEqual(known)
    expect(lines).toEqual([])
  })

  test('is no other field, and the log names those once', async () => {
    const row = {
      uid: 'u1',
      name: 'Ada',
      passwordHash: 'secret',
      pass: 'secret',
      is_admin: true,
      is_bot: true,
    }
    const { profile, lines, broker } = await sentOf({ ...row, is_suspended: true })
    expect(profile).toEqual({ name: 'Ada' })
    await ask(broker)
    expect(lines).toEqual([
      expect.stringMatching(/passwordHash, pass, is_admin, is_bot, is_suspended.*profileFields/),
    ])
    expect(lines[0]).not.toContain('secret')
  })

  test('is more when profileFields says so', async () => {
    const { profile, lines } = await sentOf(
      { uid: 'u1', name: 'Ada', is_bot: true },
      { profileFields: ['is_bot'] },
    )
    expect(profile).toEqual({ name: 'Ada', is_bot: true })
    expect(lines).toEqual([])
  })

  test('is read: the fields of an ORM document are getters of its prototype, its own ones are its inside', async () => {
    class Document {
      readonly $__ = { activePaths: {} }
      readonly _doc = { uid: 'u1', name: 'Ada', passwordHash: 'secret' }
      get uid() {
        return this._doc.uid
      }
      get name() {
        return this._doc.name
      }
      comment() {
        return 'a method'
      }
    }
    const { profile, lines } = await sentOf(new Document())
    expect(profile).toEqual({ name: 'Ada' })
    expect(lines).toEqual([])
  })

  test('never touches a field that is not sent', async () => {
    const user = {
      uid: 'u1',
      get lazyRelation(): never {
        throw new Error('not loaded')
      },
    }
    expect((await sentOf(user)).profile).toEqual({})
  })

  test('a field that is empty is sent as it is, one that is missing is not', async () => {
    const { profile } = await sentOf({ uid: 'u1', name: null, picture: undefined, comment: '' })
    expect(profile).toEqual({ name: null, comment: '' })
  })

  test('names of fields that are no names, and ever new ones, do not fill the log', async () => {
    let round = 0
    const { broker, lines } = createTestBroker({
      user: () => ({ uid: 'u1', 'ada@app.example': 1, [`secret\n${round}`]: 1, [`field${round++}`]: 1 }),
    })
    for (let i = 0; i < 150; i++) await ask(broker)
    expect(lines).toHaveLength(100)
    expect(lines.join()).not.toMatch(/ada|secret/)
  })
})
