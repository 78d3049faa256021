import { type HubConnection, HubConnectionState } from '@microsoft/signalr'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { listen } from '../demo/stand-in/listen.js'
import { createStandInWeavy } from '../demo/stand-in/weavy.js'
import { createTokenSource, type TokenResponse, type TokenSource } from '../src/index.js'
import { blocksOf, runBlock } from './documented.js'
import { issueToken } from './stand-in/requests.js'

const blocks = blocksOf('docs/clients.md')
const closing: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  for (const close of closing.splice(0).reverse()) await close()
})

/** A broker of this test, and the queries it was asked with. */
async function serve(answer: (query: URLSearchParams) => Response) {
  const queries: string[] = []
  const server = await listen((request) => {
    const { search, searchParams } = new URL(request.url)
    queries.push(search)
    return answer(searchParams)
  })
  closing.push(() => server.close())
  return { queries, use: (code: string) => code.replaceAll("'/api/token", `'${server.url}/api/token`) }
}

const tokens = () => {
  let n = 0
  return serve(() => Response.json({ access_token: `wyu_${++n}`, expires_in: 3600 }))
}

const sourceOf = async (path: string, use?: (code: string) => string) => {
  const { source } = await runBlock<{ source: TokenSource }>(blocks, path, use)
  closing.push(source.close)
  return source
}

describe.each(['axios-source.ts', 'ky-source.ts', 'ofetch-source.ts'])('%s', (path) => {
  test('brings a token, and another one when that is refused', async () => {
    const { queries, use } = await tokens()
    const source = await sourceOf(path, use)
    expect(await source.getToken()).toBe('wyu_1')
    expect(await source.getToken({ rejected: 'wyu_1' })).toBe('wyu_2')
    expect(queries).toEqual(['', '?refresh=true'])
  })

  test('ends the session at a 401, with one request', async () => {
    const { queries, use } = await serve(() => new Response(null, { status: 401 }))
    const source = await sourceOf(path, use)
    await expect(source.getToken()).rejects.toMatchObject({ code: 'signed_out', status: 401 })
    expect(queries).toHaveLength(1)
  })
})

describe('a server action', () => {
  const actionSource = async () => sourceOf('app/action-source.ts')

  test('that knows nobody ends the session at once', async () => {
    vi.stubGlobal('currentUser', async () => null)
    await expect((await actionSource()).getToken()).rejects.toMatchObject({ code: 'signed_out' })
  })

  test('is asked for a newer token after a refusal', async () => {
    vi.stubGlobal('currentUser', async () => 'u1')
    const issue = vi.fn(async (_uid: string, refresh: boolean) => ({
      access_token: `wyu_${refresh}`,
      expires_in: 60,
    }))
    vi.stubGlobal('issueToken', issue)
    const source = await actionSource()
    expect(await source.getToken({ rejected: await source.getToken() })).toBe('wyu_true')
  })
})

describe('a token that comes with the page', () => {
  const start = async (expires_in: number) => {
    const { queries, use } = await tokens()
    const { createPushedSource } = await runBlock<{
      createPushedSource: (user: string, pushed: TokenResponse) => TokenSource
    }>(blocks, 'pushed-source.ts', use)
    const source = createPushedSource('alice', { access_token: 'wyu_alice', expires_in })
    closing.push(source.close)
    return { source, queries }
  }

  test('is used without a request', async () => {
    const { source, queries } = await start(1e6)
    expect(await source.getToken()).toBe('wyu_alice')
    expect(queries).toEqual([])
  })

  test('is never handed to the next user, used or not', async () => {
    for (const isUsed of [true, false]) {
      const { source } = await start(1e6)
      if (isUsed) await source.getToken()
      source.setUser('bob')
      expect(await source.getToken()).toBe('wyu_1')
      source.setUser('alice')
      expect(await source.getToken()).not.toBe('wyu_alice')
    }
  })

  test('that died on the way is not used', async () => {
    const { source } = await start(0.001)
    expect(await source.getToken()).toBe('wyu_1')
  })
})

describe('a window to sign in', () => {
  type Open = () => Promise<TokenResponse | undefined>
  const start = async (open: Open) => {
    const { createWindowSource } = await runBlock<{ createWindowSource: (open: Open) => TokenSource }>(
      blocks,
      'window-source.ts',
    )
    const source = createWindowSource(open)
    closing.push(source.close)
    return source
  }

  test('is opened once for somebody who takes five minutes', async () => {
    const open = vi.fn(
      () => new Promise<TokenResponse>((resolve) => setTimeout(resolve, 300_000, { access_token: 'wyu_1' })),
    )
    const source = await start(open)
    vi.useFakeTimers()
    const token = source.getToken()
    await vi.advanceTimersByTimeAsync(300_000)
    expect(await token).toBe('wyu_1')
    expect(open).toHaveBeenCalledTimes(1)
  })

  test('that was closed is not opened again by itself', async () => {
    const open = vi.fn(async () => undefined)
    const source = await start(open)
    vi.useFakeTimers()
    await expect(source.getToken()).rejects.toMatchObject({ code: 'signed_out' })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(open).toHaveBeenCalledTimes(1)
  })
})

describe('a hub of ones own, with the real SignalR client', () => {
  const connect = async () => {
    const weavy = await createStandInWeavy()
    closing.push(() => weavy.close())
    let requests = 0
    const source = createTokenSource({
      fetchToken: () => {
        requests += 1
        return issueToken(weavy, 'alice')
      },
    })
    closing.push(source.close)
    const { createConnection } = await runBlock<{
      createConnection: (source: TokenSource, url: string) => HubConnection
    }>(blocks, 'hub.ts')
    const connection = createConnection(source, `${weavy.url}/hubs/rtm`)
    closing.push(() => connection.stop())
    const refusals = () =>
      weavy.requests.filter(({ kind, status }) => kind === 'negotiate' && status === 401).length
    return { weavy, source, connection, refusals, requests: () => requests }
  }

  test('connects with a token that was revoked before, after one refusal', async () => {
    const { weavy, source, connection, refusals, requests } = await connect()
    await source.getToken()
    weavy.revokeAll()
    await connection.start()
    expect(connection.state).toBe(HubConnectionState.Connected)
    expect(refusals()).toBe(1)
    expect(requests()).toBe(2)
  })

  test('comes back after a revocation and a lost connection, after one refusal', async () => {
    const { weavy, connection, refusals, requests } = await connect()
    await connection.start()
    const back = new Promise((resolve) => connection.onreconnected(resolve))
    weavy.revokeAll()
    weavy.dropHubs()
    await back
    expect(weavy.hubUids()).toEqual(['alice'])
    expect(refusals()).toBe(1)
    expect(requests()).toBe(2)
  })
})
