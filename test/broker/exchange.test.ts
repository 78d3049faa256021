import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MAX_ANSWER_BYTES } from '../../src/broker/exchange.js'
import { WEAVY_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { settle } from '../settle.js'
import { ask, askForToken, createTestBroker } from './ask.js'
import { createScriptedWeavy } from './scripted-weavy.js'

const weavy = createScriptedWeavy()

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A Weavy of sockets, for what has to do with them. */
async function startServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  weavy.server.close()
  closing.push(() => weavy.server.listen({ onUnhandledRequest: 'error' }))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function issue(response: ServerResponse, token = 'wyu_1') {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ access_token: token, expires_in: 3600 }))
}

describe('a request that gets no answer at all', () => {
  test('is sent once more: kept connections that die as they are used again cost nothing', async () => {
    const used = new Set<unknown>()
    let isDying = false
    const weavyUrl = await startServer((request, response) => {
      request.resume().on('end', () => {
        if (isDying && used.has(request.socket)) return request.socket.destroy()
        used.add(request.socket)
        return issue(response)
      })
    })
    let count = 0
    const { broker, lines } = createTestBroker({ weavyUrl, user: () => ({ uid: `user-${count++}` }) })
    const askAll = async () =>
      (await Promise.all(Array.from({ length: 10 }, () => ask(broker)))).map((r) => r.status)
    expect(await askAll()).toEqual(Array(10).fill(200))
    isDying = true
    expect(await askAll()).toEqual(Array(10).fill(200))
    expect(lines).toEqual([])
  })

  test('is not sent a fourth time', async () => {
    const fetch = vi.fn(() => Promise.reject(new TypeError('fetch failed')))
    const { broker } = createTestBroker({ fetch })
    expect((await ask(broker)).status).toBe(503)
    expect(fetch).toHaveBeenCalledTimes(3)
  })

  test.each([1, 2])('is not sent again when time is up: it had %i tries', async (tries) => {
    vi.useFakeTimers()
    try {
      let sent = 0
      const fetch = vi.fn<typeof globalThis.fetch>((_, init) =>
        ++sent < tries
          ? Promise.reject(new TypeError('fetch failed'))
          : new Promise((_, reject) => {
              init?.signal?.addEventListener('abort', () => reject(new TypeError('aborted')))
            }),
      )
      const reply = ask(createTestBroker({ fetch }).broker)
      await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS)
      expect((await reply).status).toBe(504)
      await settle()
      expect(fetch).toHaveBeenCalledTimes(tries)
    } finally {
      vi.useRealTimers()
    }
  })

  test('asks for a new connection, where the runtime knows how', async () => {
    const fetch = vi.fn<typeof globalThis.fetch>(() => Promise.reject(new TypeError('fetch failed')))
    await ask(createTestBroker({ fetch }).broker)
    expect(fetch.mock.calls.map(([, init]) => init?.keepalive)).toEqual([undefined, false, false])
    const [[url, first], [again, second]] = fetch.mock.calls as [[string, RequestInit], [string, RequestInit]]
    expect(again).toBe(url)
    expect(second).toEqual({ ...first, keepalive: false })
  })

  test('one that is answered, even badly, is not sent again', async () => {
    weavy.next(() => new Response(null, { status: 500 }))
    expect((await ask(createTestBroker().broker)).status).toBe(503)
    expect(weavy.calls).toHaveLength(1)
  })
})

describe('a conflict', () => {
  test('is tried once more: another process was creating this user', async () => {
    weavy.next(() => new Response('{}', { status: 409 }))
    const { broker, lines } = createTestBroker()
    expect(await askForToken(broker)).toBe('wyu_1')
    expect(weavy.calls).toHaveLength(2)
    expect(lines).toEqual([])
  })

  test('is tried once more also after requests that got no answer, which count by themselves', async () => {
    const lose = () => Promise.reject(new TypeError('fetch failed'))
    const fetch = vi
      .fn<typeof globalThis.fetch>(async () => Response.json({ access_token: 'wyu_1', expires_in: 60 }))
      .mockImplementationOnce(lose)
      .mockImplementationOnce(lose)
      .mockImplementationOnce(async () => new Response(null, { status: 409 }))
    expect(await askForToken(createTestBroker({ fetch }).broker)).toBe('wyu_1')
    expect(fetch.mock.calls.map(([, init]) => init?.keepalive)).toEqual([undefined, false, false, false])
  })

  test('before requests that got no answer takes none of their tries', async () => {
    const fetch = vi
      .fn<typeof globalThis.fetch>(() => Promise.reject(new TypeError('fetch failed')))
      .mockImplementationOnce(async () => new Response('{}', { status: 409 }))
    expect((await ask(createTestBroker({ fetch }).broker)).status).toBe(503)
    expect(fetch).toHaveBeenCalledTimes(4)
  })

  test('that stays is told to the operator', async () => {
    weavy.next(...Array(2).fill(() => new Response(null, { status: 409 })))
    const { broker, lines } = createTestBroker()
    expect((await ask(broker)).status).toBe(502)
    expect(lines).toEqual([expect.stringMatching(/409.*Check the uid/)])
    expect(weavy.calls).toHaveLength(2)
  })
})

describe('an answer', () => {
  test('of a little that unpacks to a lot is left when it is too large, in streams', async () => {
    const packed = gzipSync(Buffer.alloc(256 * 1024 * 1024, ' '))
    const weavyUrl = await startServer((request, response) => {
      request.resume()
      response.setHeader('Content-Encoding', 'gzip')
      response.end(packed)
    })
    const before = process.memoryUsage.rss()
    const { broker, lines } = createTestBroker({ weavyUrl })
    expect((await ask(broker)).status).toBe(502)
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 * 1024 * 1024)
    expect(lines).toEqual([expect.stringMatching(/larger than 65536 bytes/)])
  })

  test('without an end is left', async () => {
    const cancel = vi.fn()
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(9_000)),
      cancel,
    })
    let aborted: AbortSignal | null | undefined
    const fetch = async (_: unknown, init?: RequestInit) => {
      aborted = init?.signal
      return new Response(body)
    }
    const { broker, lines } = createTestBroker({ fetch })
    expect((await ask(broker)).status).toBe(502)
    expect(aborted?.aborted).toBe(true)
    expect(lines).toEqual([expect.stringMatching(/larger than 65536 bytes/)])
  })

  test('of just the size that is allowed is read, a character that two chunks share included', async () => {
    const answer = { access_token: 'wyu_1', expires_in: 60, more: 'å' }
    const text = JSON.stringify(answer)
    const bytes = new TextEncoder().encode(text)
    const at = bytes.indexOf(0xc3) + 1
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.subarray(0, at))
        controller.enqueue(bytes.subarray(at))
        controller.enqueue(new Uint8Array(MAX_ANSWER_BYTES - bytes.length).fill(32))
        controller.close()
      },
    })
    const { broker } = createTestBroker({ fetch: async () => new Response(body) })
    expect(await askForToken(broker)).toBe('wyu_1')
  })

  test('of a fetch whose bodies are no streams is read', async () => {
    const of = (text: string) => ({ ok: true, status: 200, headers: new Headers(), text: async () => text })
    const fetchOf = (text: string) => async () => of(text) as Response
    const good = createTestBroker({ fetch: fetchOf('{"access_token":"wyu_1","expires_in":60}') })
    expect(await askForToken(good.broker)).toBe('wyu_1')
    const full = createTestBroker({
      fetch: fetchOf('{"access_token":"wyu_1","expires_in":60}'.padEnd(MAX_ANSWER_BYTES)),
    })
    expect(await askForToken(full.broker)).toBe('wyu_1')
    const large = createTestBroker({ fetch: fetchOf(' '.repeat(MAX_ANSWER_BYTES + 1)) })
    expect((await ask(large.broker)).status).toBe(502)
    expect(large.lines).toEqual([expect.stringMatching(/larger than 65536 bytes/)])
  })
})
