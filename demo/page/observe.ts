import { type BrokerCall, type History, sawWeavy } from './history.js'

/** `fetch` as the browser has it: for the demo's own questions, which are no part of what it shows. */
export const plainFetch = window.fetch.bind(window)

/** Every request of this page goes through here while the cable is out. */
let offline = false

/**
 * Writes each request of this page to its broker and to Weavy into the history: those of the UIKit as those of the
 * library. Call it before either sends one.
 * @param brokerAnswered gets a copy of each good answer of the broker
 */
export function observe(
  history: History,
  { weavyUrl, tokenUrl }: { weavyUrl: string; tokenUrl: string },
  brokerAnswered?: (response: Response) => Promise<void>,
) {
  const broker = new URL(tokenUrl, location.href)
  const weavyOrigin = new URL(weavyUrl).origin
  const send: typeof fetch = (...request) =>
    offline ? Promise.reject(new TypeError('Failed to fetch')) : plainFetch(...request)

  let brokerCalls = 0
  async function sendToBroker(url: URL, request: Parameters<typeof fetch>) {
    brokerCalls += 1
    const call: BrokerCall = {
      n: brokerCalls,
      at: Date.now(),
      refresh: url.searchParams.get('refresh') === 'true',
      outcome: 'pending',
      ms: 0,
    }
    history.broker.push(call)
    if (!offline) history.counts.brokerRequests += 1
    if (!offline && call.refresh) history.counts.refreshes += 1
    try {
      const response = await send(...request)
      call.outcome = response.status
      if (response.ok) await brokerAnswered?.(response.clone()).catch(() => {})
      return response
    } catch (error) {
      call.outcome = 'failed'
      throw error
    } finally {
      if (!offline && call.outcome !== 200) history.counts.brokerFailures += 1
      call.ms = Date.now() - call.at
    }
  }

  async function sendToWeavy(request: Parameters<typeof fetch>) {
    const at = Date.now()
    try {
      const response = await send(...request)
      sawWeavy(history, response.status, at)
      return response
    } catch (error) {
      sawWeavy(history, 'failed', at)
      throw error
    }
  }

  window.fetch = (...request) => {
    const [input] = request
    const url = new URL(input instanceof Request ? input.url : input, location.href)
    if (url.origin === broker.origin && url.pathname === broker.pathname) return sendToBroker(url, request)
    if (url.origin === weavyOrigin && url.pathname !== '/version') return sendToWeavy(request)
    return send(...request)
  }

  // Uploads go through XMLHttpRequest, because of their progress.
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceResourceTiming & { responseStatus?: number })[])
      if (entry.initiatorType === 'xmlhttprequest' && entry.name.startsWith(weavyUrl))
        sawWeavy(history, entry.responseStatus || 'failed', performance.timeOrigin + entry.startTime)
  }).observe({ type: 'resource' })
}

/** Pulls the cable of this page, or puts it back, as far as a page can: no request leaves, and the browser says so. */
export function setOffline(next: boolean) {
  if (next === offline) return
  offline = next
  Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => !offline })
  window.dispatchEvent(new Event(offline ? 'offline' : 'online'))
}

/** Notes when this page did not run: the machine slept, or the browser throttled it. */
export function observeSleep({ notes }: History) {
  const BEAT_MS = 500
  const LATE_MS = 2500
  let last = Date.now()
  setInterval(() => {
    const now = Date.now()
    if (now - last > LATE_MS) notes.push({ at: last, until: now, text: 'asleep' })
    last = now
  }, BEAT_MS)
}
