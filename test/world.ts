import { afterEach, beforeEach, expect, vi } from 'vitest'
import {
  createTokenSource,
  TokenError,
  type TokenRequest,
  type TokenResponse,
  type TokenSource,
  type TokenSourceOptions,
  type TokenState,
} from '../src/index.js'

/** A request as the scripted broker sees it, to be answered by hand. */
export interface HeldRequest extends TokenRequest {
  answer(token: string, expiresIn?: number): void
  fail(error: unknown): void
}

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const open: TokenSource[] = []

/** Both clocks, the timers and chance stand still until a test moves them. After a test nothing may be left. */
export function fakeClocks() {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    // All jitter is half of what it may be, unless a test says otherwise.
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
  })
  afterEach(() => {
    for (const source of open.splice(0)) source.close()
    expect(vi.getTimerCount()).toBe(0)
    // In the reverse order, or a spy would bring the stopped clocks back.
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
}

/** Moves both clocks, and lets everything happen that is due meanwhile. */
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

function openSource(options: TokenSourceOptions) {
  const source = createTokenSource(options)
  open.push(source)
  const states: TokenState[] = []
  source.subscribe((state) => states.push(state))
  return { source, states }
}

/** A source whose requests are answered by hand. */
export function byHand(options: Partial<TokenSourceOptions> = {}) {
  const requests: HeldRequest[] = []
  const fetchToken = (request: TokenRequest) =>
    new Promise<TokenResponse>((resolve, reject) => {
      requests.push({
        ...request,
        answer: (access_token, expires_in = 3600) => resolve({ access_token, expires_in }),
        fail: reject,
      })
    })
  const request = (n: number) => requests[n - 1] as HeldRequest
  return { ...openSource({ fetchToken, ...options }), requests, request }
}

/** A source whose broker answers by itself. `answer` throws to fail; `n` counts requests from 1. */
export function byScript(
  answer: (n: number, request: TokenRequest) => unknown,
  options: Partial<TokenSourceOptions> = {},
) {
  const requests: (TokenRequest & { readonly at: number })[] = []
  const began = performance.now()
  const fetchToken = async (request: TokenRequest) => {
    requests.push({ ...request, at: performance.now() - began })
    return answer(requests.length, request) as TokenResponse
  }
  return { ...openSource({ fetchToken, ...options }), requests }
}

/** The nth token, `wyu_n`. */
export const token = (n: number, expires_in: unknown = 3600) => ({ access_token: `wyu_${n}`, expires_in })

export const unavailable = (retryAfterMs?: number) =>
  new TokenError('broker_error', 'The token broker answered 503.', { status: 503, retryAfterMs })
export const signedOut = () => new TokenError('signed_out', 'Sign in again.', { status: 401 })
export const resetByPeer = () => new TypeError('fetch failed')

/** What became of a promise so far: its value, the code of its error, or `pending`. */
export function watch(promise: Promise<string>) {
  const seen = { outcome: 'pending', error: undefined as unknown }
  promise.then(
    (value) => {
      seen.outcome = value
    },
    (error) => {
      seen.outcome = error instanceof TokenError ? error.code : String(error)
      seen.error = error
    },
  )
  return seen
}

/** The most requests in any 60 s. */
export const peakPerMinute = (times: readonly number[]) =>
  Math.max(0, ...times.map((at, i) => times.slice(i).filter((other) => other < at + MINUTE).length))

/** A page that can be hidden, shown, and cut off. */
export function stubPage() {
  const page = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  const navigator = { onLine: true }
  const counted = { listeners: 0 }
  const count = (target: EventTarget) => {
    const add = target.addEventListener.bind(target)
    const remove = target.removeEventListener.bind(target)
    target.addEventListener = (...args: Parameters<typeof add>) => {
      counted.listeners += 1
      add(...args)
    }
    target.removeEventListener = (...args: Parameters<typeof remove>) => {
      counted.listeners -= 1
      remove(...args)
    }
  }
  count(page)
  count(document)
  vi.stubGlobal('document', document)
  vi.stubGlobal('navigator', navigator)
  vi.stubGlobal('addEventListener', page.addEventListener)
  vi.stubGlobal('removeEventListener', page.removeEventListener)
  vi.stubGlobal('dispatchEvent', (event: Event) => page.dispatchEvent(event))
  return {
    counted,
    hide() {
      document.visibilityState = 'hidden'
      document.dispatchEvent(new Event('visibilitychange'))
    },
    show() {
      document.visibilityState = 'visible'
      document.dispatchEvent(new Event('visibilitychange'))
    },
    /** Goes into the back/forward cache. */
    store() {
      page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }))
    },
    /** Comes back from there. */
    restore() {
      page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
    },
    goOffline() {
      navigator.onLine = false
      page.dispatchEvent(new Event('offline'))
    },
    goOnline() {
      navigator.onLine = true
      page.dispatchEvent(new Event('online'))
    },
    set onLine(value: boolean) {
      navigator.onLine = value
    },
  }
}
