import { createHash } from 'node:crypto'
import { beforeEach, vi } from 'vitest'
import {
  createTokenSource,
  type FetchToken,
  type GetTokenOptions,
  type TokenRequest,
  type TokenSource,
  type TokenSourceOptions,
} from '../../src/index.js'
import { type AcrossTabsOptions, createAcrossTabs } from '../../src/tabs/across-tabs.js'
import { modelBrowser, type Tab, type Weather } from './browser.js'

/** Digests come from a pool of threads, which no fake clock drives. */
export const synchronousDigests = () =>
  beforeEach(() => {
    vi.spyOn(crypto.subtle, 'digest').mockImplementation(
      async (_, data) =>
        new Uint8Array(
          createHash('sha256')
            .update(data as Uint8Array)
            .digest(),
        ).buffer,
    )
  })

/** One request as the broker of these tests sees it. */
export interface Seen {
  readonly user: TokenRequest['user']
  readonly refresh: boolean
  readonly tab: Tab
  readonly at: number
}

export interface Issued {
  readonly user: string
  readonly lifeS: number | undefined
  /** When it was asked for, on the clock that all tabs of the model share. */
  readonly at: number
}

export interface BrokerModel {
  delayMs: number
  lifeS: number | undefined
  /** Throws, or hangs, in place of an answer. */
  answer: ((seen: Seen, signal: AbortSignal) => Promise<unknown>) | undefined
  /** Who is signed in to the app, for the broker's `sub`. */
  subOf: ((user: TokenRequest['user']) => string) | undefined
}

/** Tabs of one browser, each with a source, and one broker. */
export function modelWorld(weather?: Weather) {
  const model = modelBrowser(weather)
  const pages: Tab['browser'][] = []
  vi.stubGlobal('removeEventListener', (type: string, listener: () => void) => {
    for (const page of pages) page.removeEventListener(type, listener)
  })
  const seen: Seen[] = []
  const issued = new Map<string, Issued>()
  const broker: BrokerModel = { delayMs: 100, lifeS: 3600, answer: undefined, subOf: undefined }

  const openTab = (
    user: TokenRequest['user'] = 'alice',
    options: Partial<AcrossTabsOptions> = {},
    times: Pick<TokenSourceOptions, 'timeoutMs' | 'maxWaitMs'> = {},
  ) => {
    const tab = model.openTab()
    pages.push(tab.browser)
    const fetchToken: FetchToken = (request) =>
      new Promise((resolve, reject) => {
        const { signal, refresh } = request
        const one: Seen = { user: request.user, refresh, tab, at: Date.now() }
        seen.push(one)
        const answer = async () => {
          if (broker.answer) return broker.answer(one, signal)
          const access_token = `wyu_${request.user}_${issued.size + 1}`
          world.onIssue?.(access_token, tab)
          issued.set(access_token, { user: String(request.user), lifeS: broker.lifeS, at: one.at })
          const { lifeS } = broker
          return {
            access_token,
            ...(lifeS !== undefined && { expires_in: lifeS }),
            ...(broker.subOf && { sub: broker.subOf(request.user) }),
          }
        }
        const timer = setTimeout(
          () => tab.run(() => void answer().then(resolve as never, reject)),
          broker.delayMs,
        )
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(signal.reason)
        })
      })
    const across = createAcrossTabs({ fetchToken, scope: '', ...options } as AcrossTabsOptions, tab.browser)
    const source: TokenSource = createTokenSource({ fetchToken: across, user, ...times })
    /** Here a source begins to listen to its page. */
    const ask = (request?: GetTokenOptions) => {
      const { addEventListener } = globalThis
      Object.assign(globalThis, { addEventListener: tab.browser.addEventListener })
      try {
        return source.getToken(request)
      } finally {
        Object.assign(globalThis, { addEventListener })
      }
    }
    return Object.assign(tab, { source, across, ask, token: () => ask() })
  }

  const world = {
    ...model,
    openTab,
    seen,
    issued,
    broker,
    onIssue: undefined as ((token: string, tab: Tab) => void) | undefined,
  }
  return world
}
