import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource, type TokenSource } from 'weavy-token'
import { type AcrossTabsOptions, acrossTabs } from 'weavy-token/tabs'

/** What a test does in a tab, by name. */
const tab = {
  source: undefined as TokenSource | undefined,
  /** Requests of the UIKit, by their status. */
  statuses: {} as Record<string, number>,
  /** How long the first request of the UIKit took. */
  firstMs: undefined as number | undefined,
  last: undefined as Promise<unknown> | undefined,

  start(
    options: AcrossTabsOptions & {
      plain?: boolean
      weavyUrl?: string
      user?: string | null
      aheadMs?: number
    },
  ) {
    const { plain, weavyUrl, user = 'alice', aheadMs, ...across } = options
    const asked = plain ? { tokenUrl: across.tokenUrl } : { fetchToken: acrossTabs(across) }
    tab.source = createTokenSource({ ...asked, user, refreshAheadMs: aheadMs })
    if (!weavyUrl) return
    const weavy = new Weavy({ url: weavyUrl })
    connectWeavy(tab.source, weavy)
    const began = performance.now()
    let n = 0
    const ask = async () => {
      n += 1
      const status = await weavy.fetch(`/api/user?n=${n}`).then(
        (response) => response.status,
        (error) => error.code ?? String(error),
      )
      tab.firstMs ??= performance.now() - began
      tab.statuses[status] = (tab.statuses[status] ?? 0) + 1
    }
    void ask()
    setInterval(() => void ask(), 200)
  },

  /** Asks for a token; resolves with how long it took and where its digest starts, never with the token. */
  async ask(rejected?: boolean) {
    const { source } = tab
    if (!source) throw new Error('start first')
    const state = source.getState()
    const began = performance.now()
    const token = await source.getToken(rejected && 'token' in state ? { rejected: state.token } : {})
    const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
    return { ms: performance.now() - began, token: [...new Uint8Array(bytes.slice(0, 4))].join() }
  },

  /** Stands still, as a frozen tab does. */
  freeze(ms: number) {
    setTimeout(() => {
      const end = Date.now() + ms
      while (Date.now() < end);
    })
  },

  /** Every place in which a page can keep something, as text. */
  async atRest() {
    const names = [...(await caches.keys()), ...(await indexedDB.databases()).map(({ name }) => name)]
    const locks = await navigator.locks.query()
    return JSON.stringify([
      { ...localStorage },
      { ...sessionStorage },
      document.cookie,
      names,
      locks,
      document.documentElement.outerHTML,
      history.state,
      name,
      location.href,
      Object.getOwnPropertyNames(window)
        .filter((key) => key !== 'tab')
        .map((key) => {
          try {
            return JSON.stringify(Reflect.get(window, key)) ?? String(Reflect.get(window, key))
          } catch {
            return ''
          }
        }),
    ])
  },

  /** Locks of this library that anybody holds or waits for. */
  async locks() {
    const { held = [], pending = [] } = await navigator.locks.query()
    return [...held, ...pending].map(({ name = '' }) => name.split(':').length)
  },
}

addEventListener('pageshow', async ({ persisted }) => {
  if (!persisted) return
  await tab.ask()
  await fetch('/shown', { method: 'POST' })
})

Object.assign(window, { tab })
