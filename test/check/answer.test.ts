import { describe, expect, test, vi } from 'vitest'
import { address, firstAnswer, manyAtOnce, tokenAtWeavy } from '../../src/check/answer.js'
import { answer, answers } from './answers.js'

test.each([
  ['https://app.example/api/token', 'ok: https: (GET /api/token)'],
  ['http://localhost:3000/api/token', 'ok: a loopback host (GET /api/token)'],
  ['http://app.example/api/token', 'fail: http: (GET /api/token)'],
])('the address %s', (url, expected) => {
  const { result, came, asked } = address(new URL(url))
  expect(`${result}: ${came} (${asked})`).toBe(expected)
})

describe('headers of an answer with a token', () => {
  const graded = async (promise: string, headers: Record<string, string>) => {
    const found = await firstAnswer(answer({ headers: new Headers(headers) }), true)
    const finding = found.find((one) => one.promise.includes(promise))
    return `${finding?.result}: ${finding?.came}`
  }

  test.each([
    ['application/json', 'ok'],
    ['application/json; charset=utf-8', 'ok'],
    ['Application/JSON', 'ok'],
    ['application/vnd.api+json', 'ok'],
    ['application/octet-stream', 'warn'],
    ['text/x-application/json', 'warn'],
  ])('Content-Type: %s is graded as %s', async (type, result) => {
    expect(await graded('application/json', { 'content-type': type })).toBe(`${result}: ${type}`)
  })

  test('show no token and no key', async () => {
    expect(await graded('application/json', { 'content-type': 'text/plain; t=wyu_5ecret/1 x' })).toBe(
      'warn: text/plain; t=wyu_… x',
    )
    expect(await graded('Cache-Control', { 'cache-control': 'x=wys_5ecret,no-store' })).toBe('ok: x=wys_…')
  })

  test('no Content-Type at all is no good', async () => {
    expect(await graded('application/json', {})).toBe('warn: no content type')
  })

  test.each([
    ['no-store', 'ok'],
    ['private, No-Store', 'ok'],
    ['no-cache', 'warn'],
    ['max-age=0', 'warn'],
    ['max-age=60', 'fail'],
    ['s-maxage=60', 'fail'],
    ['Public', 'fail'],
  ])('Cache-Control: %s is graded as %s', async (control, result) => {
    expect(await graded('Cache-Control', { 'cache-control': control })).toBe(`${result}: ${control}`)
  })
})

test.each([
  ['https://acme.weavy.test', 'https://acme.weavy.test/api/user'],
  ['https://acme.weavy.test/', 'https://acme.weavy.test/api/user'],
  ['https://acme.test/weavy', 'https://acme.test/weavy/api/user'],
  ['https://acme.test/weavy//?a=b#c', 'https://acme.test/weavy/api/user'],
])('the token is tried at the Weavy of %s: %s', async (weavyUrl, asked) => {
  const fetch = vi.fn(async (_url: URL) => new Response())
  vi.stubGlobal('fetch', fetch)
  try {
    expect(await tokenAtWeavy(new URL(weavyUrl), 'wyu_a')).toMatchObject({
      asked: `GET ${asked}`,
      came: '200',
    })
    expect(String(fetch.mock.calls[0]?.[0])).toBe(asked)
  } finally {
    vi.unstubAllGlobals()
  }
})

describe('twenty at once', () => {
  test.each([
    [2000, 'ok'],
    [2001, 'warn'],
    [5000, 'warn'],
    [5001, 'fail'],
  ])('of which the slowest took %d ms is graded as %s', async (ms, result) => {
    const [, quick] = await manyAtOnce(answers({}, { ms }, {}).ask, [])
    expect(quick).toMatchObject({ result, came: `${ms} ms at most` })
  })

  test('and the answers before them count', async () => {
    const [, quick] = await manyAtOnce(answers({}).ask, [answer({ ms: 2000.6 })])
    expect(quick).toMatchObject({ result: 'warn', came: '2001 ms at most' })
  })

  test('may get two tokens, because one may expire meanwhile, and no more', async () => {
    const ready = async (...tokens: string[]) =>
      (await manyAtOnce(answers(...tokens.map((token) => ({ token }))).ask, []))[0]
    expect(await ready('wyu_a', 'wyu_b')).toMatchObject({ result: 'ok', came: 'all with a token' })
    expect(await ready('wyu_a', 'wyu_b', 'wyu_c')).toMatchObject({
      result: 'warn',
      came: '3 different tokens',
    })
  })

  test('and some without a token are counted', async () => {
    const none = { token: undefined, came: '429 text/plain' }
    const { ask, questions } = answers({}, none, { ...none, came: '500 text/plain' }, {})
    expect((await manyAtOnce(ask, []))[0]).toMatchObject({
      result: 'fail',
      asked: '20 × GET /api/token',
      came: '2 without a token, the first: 429 text/plain',
    })
    expect(questions).toHaveLength(20)
  })
})
