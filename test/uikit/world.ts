import { onTestFinished, vi } from 'vitest'
import { connectWeavy, createTokenSource, type TokenSourceOptions } from '../../src/index.js'
import { clients, type RealClient, type UIKit } from './real-client.js'

/** One request as Weavy saw it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly token: string
  readonly user: string | undefined
  status: number
}

/** How Weavy answers, by the query of the request. `judge=late`: the token is judged when the answer leaves. */
const plan = (url: URL) => ({
  delayMs: Number(url.searchParams.get('delay') ?? 0),
  isLate: url.searchParams.get('judge') === 'late',
})

/**
 * Weavy and a broker without a network: tokens that can be revoked, resources that can be forbidden, answers that take
 * their time. Timers are fake.
 */
export function createWorld(options: Partial<TokenSourceOptions> = {}) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  const alive = new Map<string, string>()
  const owners = new Map<string, string>()
  const stored = new Map<string, string>()
  const seen: Seen[] = []
  const denied = new Map<string, number>()
  let issued = 0
  const world = {
    alive,
    seen,
    refreshes: 0,
    brokerMs: 0,
    isBrokerDown: false,
    /** The broker keeps its token, whatever is asked. */
    ignoresRefresh: false,
    revokeAll: () => alive.clear(),
    /** That resource answers so to every living token. */
    forbid: (path: string, status = 403) => denied.set(path, status),
    issue(user: string) {
      issued += 1
      const token = `wyu_${issued}`
      alive.set(token, user)
      owners.set(token, user)
      stored.set(user, token)
      return token
    },
    source: undefined as unknown as ReturnType<typeof createTokenSource>,
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    instance(uikit: UIKit): RealClient {
      const weavy = new clients[uikit]()
      connectWeavy(world.source, weavy)
      return weavy
    },
  }
  world.source = createTokenSource({
    user: 'alice',
    fetchToken: async ({ refresh, user }) => {
      if (world.brokerMs) await new Promise((resolve) => setTimeout(resolve, world.brokerMs))
      if (world.isBrokerDown) throw new TypeError('Failed to fetch')
      if (refresh) world.refreshes += 1
      const old = refresh && !world.ignoresRefresh ? undefined : stored.get(String(user))
      return { access_token: old ?? world.issue(String(user)), expires_in: 3600 }
    },
    ...options,
  })

  const judge = (token: string, path: string) => (alive.has(token) ? (denied.get(path) ?? 200) : 401)
  const serve = async (method: string, url: URL, token: string, signal?: AbortSignal | null) => {
    const { delayMs, isLate } = plan(url)
    const path = url.pathname
    const request: Seen = { method, path: path + url.search, token, user: owners.get(token), status: 0 }
    seen.push(request)
    const early = judge(token, path)
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => reject(signal?.reason)
      setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', onAbort)
    })
    request.status = isLate ? judge(token, path) : early
    return request.status
  }

  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    const { method = 'GET', headers, signal } = init
    signal?.throwIfAborted()
    const token = new Headers(headers).get('authorization')?.slice('Bearer '.length) ?? ''
    const status = await serve(method, url, token, signal)
    return new Response(status === 200 ? '{}' : null, { status })
  })
  vi.stubGlobal('XMLHttpRequest', stubXhr(serve))
  onTestFinished(() => {
    world.source.close()
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
  return world
}

type Serve = (method: string, url: URL, token: string, signal?: AbortSignal) => Promise<number>

/** As much of XMLHttpRequest as the UIKit's upload needs, with its order of events. */
const stubXhr = (serve: Serve) =>
  class {
    upload = { addEventListener() {} }
    onload = (_: unknown) => {}
    onerror = (_: unknown) => {}
    onabort = (_: unknown) => {}
    status = 0
    statusText = ''
    response = '{}'
    #request: [string, URL] = ['', new URL('https://none.example')]
    #token = ''
    #abort = new AbortController()
    open(method: string, url: URL) {
      this.#request = [method, url]
    }
    setRequestHeader(name: string, value: string) {
      if (name === 'Authorization') this.#token = value.slice('Bearer '.length)
    }
    abort() {
      this.#abort.abort()
    }
    send() {
      serve(...this.#request, this.#token, this.#abort.signal).then(
        (status) => {
          this.status = status
          this.onload({ type: 'load' })
        },
        () => this.onabort({ type: 'abort' }),
      )
    }
  }

/** What became of a call: its status, or the code or name of its error. */
export const outcomeOf = (call: Promise<Response>): Promise<unknown> =>
  call.then(
    ({ status }) => status,
    (error) => error?.code ?? error?.name ?? error,
  )
