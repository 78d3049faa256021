import { describe, expect, test, vi } from 'vitest'
import type { Answer } from '../../src/check/ask-broker.js'
import { digests, refresh, reuse } from '../../src/check/life.js'
import { digestOf } from '../../src/wire.js'
import { answer, answers } from './answers.js'

const brief = (found: readonly { result: string; came: string }[]) =>
  found.map(({ result, came }) => `${result}: ${came}`)

describe('asking again for a token that is there', () => {
  const first = answer({ expiresIn: 3600 })

  test.each<[string, Partial<Answer>, string]>([
    ['counts a second down', { expiresIn: 3599 }, 'ok: 3600 s, then 3599 s'],
    ['counts less down', { expiresIn: 3599.5 }, 'fail: 3600 s, then 3599.5 s'],
    ['tells no life any more', {}, 'fail: 3600 s, then Infinity s'],
    ['is a new one', { token: 'wyu_b', expiresIn: 3600 }, 'ok: a new token each time'],
    ['is none', { token: undefined, came: '503 text/plain' }, 'fail: 503 text/plain'],
  ])('after two seconds %s', async (_, second, counted) => {
    const wait = vi.fn(async () => {})
    expect(brief(await reuse(answers(second).ask, first, wait))).toEqual(['ok: 3600 s', counted])
    expect(wait.mock.calls).toEqual([[2000]])
  })

  test.each([
    [undefined, ['warn: none', 'skip: there is no expires_in']],
    ['soon', ['warn: no number', 'skip: there is no expires_in']],
    [0, ['fail: 0 s', 'fail: 0 s, then 0 s']],
    [1, ['ok: 1 s', 'fail: 1 s, then 1 s']],
  ])('expires_in: %j', async (expiresIn, expected) => {
    const { ask } = answers({ expiresIn })
    expect(brief(await reuse(ask, answer({ expiresIn }), async () => {}))).toEqual(expected)
  })
})

describe('a refresh', () => {
  const refreshed = async (...list: Partial<Answer>[]) => {
    const wait = vi.fn(async () => {})
    const { ask, questions } = answers(...list)
    const [finding, newest] = await refresh(ask, answer(), wait)
    expect(questions.every((question) => question.refresh)).toBe(true)
    return { found: brief([finding]), newest: newest.token, asked: questions.length, waits: wait.mock.calls }
  }
  const shown = async (token: string) => `wyu_… (#${(await digestOf(token))?.slice(0, 8)})`

  test('that brings another token is enough', async () => {
    expect(await refreshed({ token: 'wyu_b' })).toEqual({
      found: [`ok: ${await shown('wyu_a')}, then ${await shown('wyu_b')}`],
      newest: 'wyu_b',
      asked: 1,
      waits: [],
    })
  })

  test('is asked for again after six seconds, because tabs may share the last one for five', async () => {
    expect(await refreshed({}, { token: 'wyu_b' })).toMatchObject({
      found: [expect.stringMatching(/^ok: /)],
      newest: 'wyu_b',
      asked: 2,
      waits: [[6000]],
    })
  })

  test('that brings the same token twice does nothing', async () => {
    expect(await refreshed({})).toMatchObject({ found: ['fail: the same token'], newest: 'wyu_a', asked: 2 })
  })

  test('that is refused fails, and the first token is the newest', async () => {
    const refused = { token: undefined, came: '500 text/plain' }
    expect(await refreshed(refused)).toMatchObject({
      found: ['fail: 500 text/plain'],
      newest: 'wyu_a',
      asked: 1,
    })
  })
})

describe('sub, held and refused', () => {
  const none = { token: undefined, came: '500 text/plain' }
  const tokens = (list: readonly (string | undefined)[]) =>
    list.map((token) => ({ sub: 's', ...(token ? { token } : none) }))

  /** Whoever holds `wyu_a` asks twice for another, whoever was refused with what came asks twice again. */
  const found = async (...list: (string | undefined)[]) => {
    const { ask, questions } = answers(...tokens(list))
    const first = answer({ sub: 's' })
    return { found: brief(await digests(ask, first, first)), questions }
  }

  test.each([undefined, 5, ''])('a sub of %j is none', async (sub) => {
    const { ask, questions } = answers({})
    const first = answer({ sub })
    expect(brief(await digests(ask, first, first))).toEqual([
      'warn: none',
      'skip: there is no sub',
      'skip: there is no sub',
    ])
    expect(questions).toEqual([])
  })

  test('the digests of the tokens are asked with', async () => {
    const { found: kept, questions } = await found('wyu_b', 'wyu_b', 'wyu_c', 'wyu_c')
    expect(kept).toEqual(['ok: the same one for the same user', 'ok: one new token', 'ok: one new token'])
    const held = await digestOf('wyu_a')
    const refused = await digestOf('wyu_b')
    expect(questions).toEqual([
      { refresh: true, held },
      { refresh: true, held },
      { refresh: true, refused },
      { refresh: true, refused },
    ])
  })

  test.each([
    [['wyu_a', 'wyu_a'], 'warn: the old token'],
    [['wyu_b', 'wyu_c'], 'warn: two new tokens'],
    [[undefined, 'wyu_b'], 'warn: 500 text/plain'],
    [['wyu_b', undefined], 'warn: 500 text/plain'],
  ])('held brings %j', async (list, expected) => {
    expect((await found(...list, 'wyu_d', 'wyu_d')).found[1]).toBe(expected)
  })

  test.each([
    [['wyu_b', 'wyu_b'], 'fail: the old token'],
    [['wyu_c', 'wyu_d'], 'warn: two new tokens'],
    [[undefined, 'wyu_c'], 'warn: 500 text/plain'],
    [['wyu_c', undefined], 'warn: 500 text/plain'],
  ])('refused brings %j', async (list, expected) => {
    expect((await found('wyu_b', 'wyu_b', ...list)).found[2]).toBe(expected)
  })
})
