import { afterEach, describe, expect, test, vi } from 'vitest'
import { createAskBroker } from '../../src/check/ask-broker.js'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

const URL_OF_IT = 'https://app.example/api/token'

/** The network: what it answers, one after the other. */
const network = (...responses: (Response | Error)[]) => {
  const seen: { url: string; init: RequestInit }[] = []
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    seen.push({ url: url.href, init })
    const response = responses[seen.length - 1] as Response | Error
    if (response instanceof Error) throw response
    return response
  })
  return seen
}

const ask = (url = URL_OF_IT, given: Record<string, string> = {}) =>
  createAskBroker(new URL(url), new Headers(given))

const good = () => Response.json({ access_token: 'wyu_a', expires_in: 60, sub: 's' })

describe('what is asked', () => {
  test.each([
    [URL_OF_IT, {}, '', 'GET /api/token'],
    [`${URL_OF_IT}?tenant=7`, {}, '?tenant=7', 'GET /api/token'],
    [URL_OF_IT, { refresh: true }, '?refresh=true', 'GET /api/token?refresh=true'],
    [
      `${URL_OF_IT}?tenant=7`,
      { refresh: true, held: 'h', refused: 'r' },
      '?tenant=7&refresh=true&held=h&refused=r',
      'GET /api/token?refresh=true&held=h&refused=r',
    ],
    [`${URL_OF_IT}?tenant=7&refresh=true`, {}, '?tenant=7', 'GET /api/token'],
  ])('%s with %j', async (url, question, search, asked) => {
    const seen = network(good())
    expect(await ask(url)(question)).toMatchObject({ asked })
    expect(seen[0]?.url).toBe(URL_OF_IT + search)
  })

  test('JSON, unless something else is given', async () => {
    const seen = network(good(), good())
    await ask()()
    await ask(URL_OF_IT, { accept: 'text/plain', cookie: 'sid=1' })()
    expect(seen.map(({ init }) => [...new Headers(init.headers)])).toEqual([
      [['accept', 'application/json']],
      [
        ['accept', 'text/plain'],
        ['cookie', 'sid=1'],
      ],
    ])
  })
})

describe('what is told of an answer', () => {
  test('is no token: not as a content type, nor in the reason why there is none', async () => {
    const failure = new TypeError('fetch failed', { cause: { message: 'bad header wyu_5ecret here' } })
    network(new Response('', { status: 500, headers: { 'content-type': 'x/wyu_5ecret' } }), failure)
    expect((await ask()()).came).toBe('500 x/wyu_…')
    expect((await ask()()).came).toBe('no answer (bad header wyu_… here)')
  })

  const times = (from: number, to: number) =>
    vi.spyOn(performance, 'now').mockReturnValueOnce(from).mockReturnValueOnce(to)

  test('one with a token', async () => {
    times(1000, 1250)
    const response = good()
    network(response)
    expect(await ask()()).toEqual({
      asked: 'GET /api/token',
      ms: 250,
      status: 200,
      came: '200 application/json',
      headers: response.headers,
      redirects: [],
      isHtml: false,
      token: 'wyu_a',
      expiresIn: 60,
      sub: 's',
    })
  })

  test('none', async () => {
    times(1000, 1250)
    network(new TypeError('fetch failed', { cause: { code: 'ENOTFOUND', message: 'getaddrinfo' } }))
    expect(await ask()()).toEqual({
      asked: 'GET /api/token',
      ms: 250,
      status: 0,
      came: 'no answer (ENOTFOUND)',
      headers: new Headers(),
      redirects: [],
      isHtml: false,
    })
  })

  test('one that redirects lead to, also those without a body', async () => {
    const moved = new Response(null, { status: 307, headers: { location: '/other?x=1' } })
    const seen = network(moved, good())
    expect(await ask()()).toMatchObject({
      came: '307 to https://app.example/other, then 200 application/json',
      redirects: [moved.headers],
      token: 'wyu_a',
    })
    expect(seen[1]?.url).toBe('https://app.example/other?x=1')
  })

  test.each([
    ['<html>', true],
    [' \n <html>', true],
    ['a <b>', false],
    ['!<b>', false],
    ['{"a":"<"}', false],
  ])('%j is HTML: %s', async (body, isHtml) => {
    network(new Response(body))
    expect(await ask()()).toMatchObject({ isHtml })
  })

  test('a status that only proxies have', async () => {
    const odd = new Response('denied')
    Object.defineProperties(odd, { status: { value: 999 }, ok: { value: false } })
    network(odd)
    expect(await ask()()).toMatchObject({
      came: '999 text/plain',
      failure: 'The token broker answered 999. See its log.',
    })
  })
})

describe('why there is no answer', () => {
  test.each([
    [{ cause: { message: 'bad port' } }, 'no answer (bad port)'],
    [{}, 'no answer (network)'],
  ])('%j', async (options, came) => {
    network(new TypeError('fetch failed at https://app.example/?secret', options as ErrorOptions))
    expect(await ask()()).toMatchObject({ status: 0, came })
  })

  test('it takes longer than a page waits', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort())
    network(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    expect(await ask()()).toMatchObject({ status: 0, came: 'no answer within 10 s' })
    expect(timeout).toHaveBeenCalledWith(10_000)
  })
})

describe('a body', () => {
  const KB_64 = 64 * 1024

  /** A body that comes in these pieces, and whether its end was waited for. */
  const inPieces = (...pieces: Uint8Array[]) => {
    const cancel = vi.fn()
    let n = 0
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const piece = pieces[n++]
          if (piece) controller.enqueue(piece)
          else controller.close()
        },
        cancel,
      },
      { highWaterMark: 0 },
    )
    return { response: new Response(body), cancel }
  }

  const encode = (text: string) => new TextEncoder().encode(text)

  test('is read across the pieces that it comes in', async () => {
    const bytes = encode('{"access_token":"wyu_a","sub":"é"}')
    const at = bytes.indexOf(0xc3) + 1
    network(inPieces(bytes.slice(0, at), bytes.slice(at)).response)
    expect(await ask()()).toMatchObject({ token: 'wyu_a', sub: 'é' })
  })

  test('is read no further once more than 64 KB came', async () => {
    const end = encode('"access_token":"wyu_a"}')
    const short = inPieces(encode('{'.padEnd(KB_64)), end)
    const long = inPieces(encode('{'.padEnd(KB_64 + 1)), end)
    network(short.response, long.response)
    const asked = ask()
    expect(await asked()).toMatchObject({ token: 'wyu_a' })
    expect(await asked()).toMatchObject({
      failure: 'The token broker answered with something that is not JSON.',
    })
    expect(long.cancel).toHaveBeenCalled()
  })
})
