import { afterEach, describe, expect, test, vi } from 'vitest'
import { brokerOf } from '../src/broker-request.js'
import { originOf, secureUrl } from '../src/token-url.js'

afterEach(() => vi.unstubAllGlobals())

const onPage = (href: string, origin = 'null') => {
  vi.stubGlobal('location', { href, origin })
  vi.stubGlobal('origin', origin)
}

const urlsAskedFor = async (tokenUrl: string | URL, ...changes: (() => void)[]) => {
  const fetch = vi.fn(async (_url: string) => new Response('{"access_token":"wyu_1"}'))
  const ask = brokerOf({ tokenUrl, fetch: fetch as never })
  for (const change of [() => {}, ...changes]) {
    change()
    await ask({ refresh: false, signal: new AbortController().signal } as never)
  }
  return fetch.mock.calls.map(([url]) => url)
}

describe('is resolved once, at creation', () => {
  test("whatever the app's router does to the address of the page", async () => {
    onPage('https://app.example/inbox')
    const routed = () => onPage('https://app.example/rooms/1/messages')
    expect(await urlsAskedFor('api/token', routed)).toEqual(Array(2).fill('https://app.example/api/token'))
  })

  test('whatever the app does to its URL object', async () => {
    const url = new URL('https://app.example/api/token')
    const moved = () => {
      url.host = 'evil.example'
    }
    expect(await urlsAskedFor(url, moved)).toEqual(Array(2).fill('https://app.example/api/token'))
  })

  test('never against a <base>, nor an element that is called baseURI', async () => {
    onPage('https://app.example/inbox')
    vi.stubGlobal('document', { baseURI: 'https://evil.example/' })
    expect(await urlsAskedFor('api/token')).toEqual(['https://app.example/api/token'])
  })
})

test.each([
  ['about:srcdoc', 'https://app.example', 'https://app.example/api/token'],
  ['blob:https://app.example/0b8c', 'https://app.example', 'https://app.example/api/token'],
  ['app://./index.html', 'app://.', 'app://./api/token'],
  ['tauri://localhost/index.html', 'tauri://localhost', 'tauri://localhost/api/token'],
  ['capacitor://localhost', 'capacitor://localhost', 'capacitor://localhost/api/token'],
  ['http://192.168.1.7:5173/inbox', 'http://192.168.1.7:5173', 'http://192.168.1.7:5173/api/token'],
])('a relative URL on a page at %s', async (href, origin, url) => {
  onPage(href, origin)
  expect(await urlsAskedFor('/api/token')).toEqual([url])
})

test('a full URL on a page without a web origin is kept', async () => {
  onPage('file:///home/me/index.html')
  expect(await urlsAskedFor('https://app.example/token')).toEqual(['https://app.example/token'])
})

test('a relative URL on a page without a web origin asks for the full one', () => {
  for (const href of ['file:///home/me/index.html', 'about:srcdoc', 'data:text/html,x']) {
    onPage(href)
    expect(() => secureUrl('tokenUrl', '/api/token')).toThrow(
      new TypeError('tokenUrl is relative, and no page has an origin for it: give the full URL'),
    )
  }
})

test.each(['/api/token', '/login?next=https://app.example/token', 'token'])('%s is relative', (url) => {
  expect(secureUrl('tokenUrl', url)).toEqual({ href: '', origin: '' })
})

test('what begins with a scheme is not', () => {
  expect(secureUrl('tokenUrl', ' \nhttps://app.example/token').href).toBe('https://app.example/token')
  expect(() => secureUrl('tokenUrl', 's3://bucket/token')).toThrow('tokenUrl must be https:')
})

test('a relative URL without a page may be given, and asking with it is a clear error and no request', async () => {
  const fetch = vi.fn()
  const ask = brokerOf({ tokenUrl: '/api/token', fetch })
  await expect(ask({ refresh: false, signal: new AbortController().signal } as never)).rejects.toMatchObject({
    code: 'bad_response',
    message: 'tokenUrl is relative, and no page has an origin for it: give the full URL',
  })
  expect(fetch).not.toHaveBeenCalled()
})

test.each([
  ['http://app.example/token', 'http://shop.example/'],
  ['http://app.example/token', undefined],
  ['http://notlocalhost/token', undefined],
  ['http://localhost.evil.example/token', undefined],
  ['http://127.0.0.1.evil.example/token', undefined],
  ['ftp://app.example/token', 'https://app.example/'],
  ['file:///etc/token', 'file:///etc/index.html'],
  ['app://other/token', 'app://./index.html'],
  ['javascript:alert(1)', 'https://app.example/'],
])('%s on a page at %s is refused', (url, page) => {
  if (page) onPage(page, originOf(page))
  expect(() => secureUrl('tokenUrl', url)).toThrow(
    new TypeError("tokenUrl must be https:, except on localhost and the page's own origin"),
  )
})

test.each([
  'http://localhost:3000/t',
  'http://app.localhost/t',
  'http://127.0.0.1/t',
  'http://127.10.20.30/t',
  'http://[::1]:3000/t',
  'https://app.example/t',
])('%s is allowed everywhere', (url) => {
  expect(secureUrl('tokenUrl', url)).toEqual({ href: url, origin: url.slice(0, -2) })
})

test('credentials in a URL, and what is no URL, are refused', () => {
  expect(() => secureUrl('tokenUrl', 'https://me:pw@app.example/')).toThrow(
    'tokenUrl must not hold credentials',
  )
  expect(() => secureUrl('tokenUrl', 'https://')).toThrow('tokenUrl is not a URL')
})

describe('the query', () => {
  test('of the app is kept as it was written, a refresh of its own and a fragment are not', async () => {
    expect(await urlsAskedFor('https://app.example/t?b=%20&a=1+2?&refresh=true&refresh#top')).toEqual([
      'https://app.example/t?b=%20&a=1+2?',
    ])
  })

  test('is built without URLSearchParams and accessors of URL, which React Native does not have', async () => {
    vi.stubGlobal(
      'URL',
      class {
        href: string
        constructor(url: string) {
          this.href = url.endsWith('/') ? url : `${url}/`
        }
        get protocol() {
          throw new Error('URL.protocol is not implemented')
        }
        get searchParams() {
          return {
            set() {
              throw new Error('URLSearchParams.set is not implemented')
            },
          }
        }
      },
    )
    expect(await urlsAskedFor('https://app.example/token?tenant=7')).toEqual([
      'https://app.example/token?tenant=7',
    ])
  })
})
