import { connectWeavy, createTokenSource, type TokenSource } from 'weavy-token'
import { type AcrossTabsOptions, acrossTabs } from 'weavy-token/tabs'

/** What a test does in a tab, by name. */
const tab = {
  source: undefined as TokenSource | undefined,
  /** Requests of the UIKit, by their status. */
  statuses: {} as Record<string, number>,
  /** How long the first request of the UIKit took. */
  firstMs: undefined as number | undefined,
  /** Until then it sends none, by the page's clock. */
  quietUntil: 0,
  last: undefined as Promise<unknown> | undefined,
  /** How long each request to the broker took, as this page saw it. */
  tookMs: [] as number[],
  /** How long the tab stands still, as a frozen one does, when it has sent its next request to the broker. */
  freezeMs: 0,

  async start(
    options: AcrossTabsOptions & {
      weavyUrl?: string
      user?: string | null
      sub?: string
      aheadMs?: number
    },
  ) {
    const { weavyUrl, user = 'alice', sub, aheadMs, ...across } = options
    const fetchToken = acrossTabs({ ...across, fetch: tab.fetch })
    tab.source = createTokenSource({ fetchToken, user, sub, refreshAheadMs: aheadMs })
    if (!weavyUrl) return
    const { Weavy } = await import('@weavy/uikit-web')
    const weavy = new Weavy({ url: weavyUrl })
    connectWeavy(tab.source, weavy)
    const began = performance.now()
    let n = 0
    const ask = async () => {
      if (performance.now() < tab.quietUntil) return
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

  async fetch(input: RequestInfo | URL, init?: RequestInit) {
    // The second look at a request that failed, which is what one looks like whose page is left.
    if (init?.redirect === 'manual') navigator.sendBeacon('/looked')
    const began = performance.now()
    const { freezeMs } = tab
    tab.freezeMs = 0
    if (freezeMs)
      setTimeout(() => {
        const end = Date.now() + freezeMs
        while (Date.now() < end);
      }, 50)
    try {
      return await fetch(input, init)
    } finally {
      tab.tookMs.push(performance.now() - began)
    }
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

  /** Says what a hostile script of the same origin might, very often, on the channel that the locks name. */
  async flood() {
    const { held = [] } = await navigator.locks.query()
    const [, name] = /^(weavy-token:[^:]+):/.exec(held[0]?.name ?? '') ?? []
    if (!name) throw new Error('No lock names a channel.')
    const channel = new BroadcastChannel(name)
    const now = Date.now()
    for (let n = 0; n < 2000; n++) {
      channel.postMessage({ after: 0 })
      channel.postMessage({ at: now + n, sent: now + 1e6, access_token: `wys_${n}`, expires_in: 1e300 })
      channel.postMessage({ at: {}, sent: [], after: {}, stop: 0, access_token: { length: 5 } })
    }
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
