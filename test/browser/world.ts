import { vi } from 'vitest'
import type { Fault } from '../../demo/stand-in/broker.js'
import type { RequestRecord } from '../../demo/stand-in/requests.js'
import type { WorldOptions } from '../../demo/stand-in/world.js'
import { order } from './order.js'
import type { WorldAddress, WorldOrder, WorldReport } from './worlds.js'

/** What `using` and `await using` look for in WebKit, which has no such symbols yet. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

/** A stand-in environment and broker of its own for one test, outside the browser. What was made in it ends with it. */
export async function startWorld(options: Omit<WorldOptions, 'allowedOrigins'> = {}) {
  const { id, weavyUrl, tokenUrl, sampleUrl } = await order<WorldAddress>('/worlds', {
    ...options,
    allowedOrigins: [location.origin],
  })
  const tell = (next: WorldOrder) => order<WorldReport>(`/worlds/${id}`, next)
  const undo: (() => void)[] = []
  const elements: Element[] = []
  return {
    weavyUrl,
    tokenUrl,
    sampleUrl,
    look: () => tell({ do: 'look' }),
    setFault: (fault: Fault | null) => tell({ do: 'fault', fault }),
    setLifetime: (seconds: number | null) => tell({ do: 'lifetime', seconds }),
    revokeAll: () => tell({ do: 'revoke' }),
    forbid: (path: string, forbidden = true) => tell({ do: 'forbid', path, forbidden }),
    release: () => tell({ do: 'release' }),
    dropHubs: () => tell({ do: 'drop-hubs' }),
    signIn: (user: string | null) => tell({ do: 'sign-in', user }),
    /** To be done when this world ends. */
    defer: (step: () => void) => void undo.push(step),
    /** Puts an element on the page, until this world ends. */
    show(name: string) {
      const element = document.createElement(name)
      elements.push(element)
      document.body.append(element)
      return element
    },
    [asyncDispose]: async () => {
      for (const element of elements) element.remove()
      for (const step of undo) step()
      await tell({ do: 'close' })
    },
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

const TICK_MS = 50
/** Less than that is a busy page, more a machine that stood still. */
const HELD_UP_MS = 300

/** Hears until the end of its block for how long in all the machine held this page up: its timers came that late. */
export function hearHoldUps() {
  let heldUpMs = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const lateMs = now - last - TICK_MS
    if (lateMs > HELD_UP_MS) heldUpMs += lateMs
    last = now
  }, TICK_MS)
  return {
    get ms() {
      return heldUpMs
    },
    [dispose]: () => clearInterval(timer),
  }
}

/**
 * Hears until the end of its block when requests leave this page, by the browser's own record. How long they then wait for
 * a connection, a preflight and an answer is not in it.
 */
export function hearRequests() {
  const leftAt = new Map<string, number>()
  const observer = new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) leftAt.set(name, startTime)
  })
  observer.observe({ type: 'resource' })
  return {
    /** Of one that was answered. On the clock of `performance.now()`. */
    left: (url: string) =>
      vi.waitFor(() => {
        const at = leftAt.get(url)
        if (at === undefined) throw new Error('no record of the request')
        return at
      }, 30_000),
    [dispose]: () => observer.disconnect(),
  }
}

/** Requests that Weavy refused for their token. */
export const refusedForToken = ({ weavy }: WorldReport): RequestRecord[] =>
  weavy.filter(({ refused }) => refused !== undefined && refused !== 'forbidden')

/** Runs `task` every `everyMs` until `ms` have passed; resolves when the last one has settled. */
export async function every(
  everyMs: number,
  ms: number,
  task: (n: number) => Promise<unknown>,
): Promise<void> {
  const running: Promise<unknown>[] = []
  const end = performance.now() + ms
  for (let n = 0; performance.now() < end; n++) {
    running.push(task(n))
    await sleep(everyMs)
  }
  await Promise.all(running)
}
