import type { Page } from '../../src/tabs/across-tabs.js'

interface Waiting {
  readonly tab: object
  readonly mode: LockMode
  grant(): void
}

/** How a browser treats one message or one lock: how long it takes, and whether it comes at all. */
export interface Weather {
  delayMs(): number
  isLost(): boolean
}

const CALM: Weather = { delayMs: () => 1, isLost: () => false }

/** A model of what one browser gives to its tabs: channels and locks of one origin. */
export function modelBrowser(weather: Weather = CALM) {
  const channels = new Set<{ name: string; tab: object; hear(data: unknown): void }>()
  const held = new Map<string, Waiting[]>()
  const waiting = new Map<string, Waiting[]>()
  const messages: unknown[] = []
  const names = new Set<string>()

  const listOf = (lists: typeof held, name: string) => {
    const list = lists.get(name) ?? []
    lists.set(name, list)
    return list
  }
  const isFree = (name: string, mode: LockMode) =>
    listOf(held, name).every((other) => mode === 'shared' && other.mode === 'shared')
  const advance = (name: string) => {
    const queue = listOf(waiting, name)
    for (let next = queue[0]; next && isFree(name, next.mode); next = queue[0]) {
      queue.shift()
      listOf(held, name).push(next)
      next.grant()
    }
  }
  const drop = (lists: typeof held, name: string, one: Waiting) => {
    const list = listOf(lists, name)
    if (list.includes(one)) list.splice(list.indexOf(one), 1)
    advance(name)
  }

  /** Sends a message as any script of the origin can. */
  const send = (name: string, message: unknown, from?: object) => {
    messages.push(message)
    for (const channel of channels)
      if (channel.name === name && channel !== from && !weather.isLost()) {
        const data = structuredClone(message)
        setTimeout(() => channel.hear(data), weather.delayMs())
      }
  }

  function openTab() {
    const tab = {}
    const page = new EventTarget()
    const listeners = new Set<unknown>()
    /** What is to be done when the tab runs again; `undefined` while it runs. */
    let later: (() => void)[] | undefined
    let isGone = false
    const run = (task: () => void) => {
      if (isGone) return
      if (later) later.push(task)
      else task()
    }

    class Channel {
      onmessage: ((event: MessageEvent) => void) | null = null
      readonly #one: { name: string; tab: object; hear(data: unknown): void }
      constructor(name: string) {
        names.add(name)
        this.#one = {
          name,
          tab,
          hear: (data) =>
            run(() => {
              if (channels.has(this.#one)) this.onmessage?.({ data } as MessageEvent)
            }),
        }
        channels.add(this.#one)
      }
      postMessage(message: unknown) {
        if (!channels.has(this.#one)) throw new DOMException('closed', 'InvalidStateError')
        send(this.#one.name, message, this.#one)
      }
      close() {
        channels.delete(this.#one)
      }
    }

    const request = (
      name: string,
      { mode = 'exclusive', signal }: LockOptions,
      work: (lock: Lock | null) => unknown,
    ) =>
      new Promise((resolve, reject) => {
        names.add(name)
        // https://w3c.github.io/web-locks/#api-lock-manager-request
        if (name.startsWith('-')) return reject(new DOMException(name, 'NotSupportedError'))
        const end = (settle: () => void) => {
          drop(held, name, one)
          run(settle)
        }
        const one: Waiting = {
          tab,
          mode,
          grant: () =>
            setTimeout(() => {
              run(() =>
                (async () => work(null))().then(
                  (value) => end(() => resolve(value)),
                  (error) => end(() => reject(error)),
                ),
              )
            }, weather.delayMs()),
        }
        signal?.addEventListener('abort', () => {
          const isWaiting = listOf(waiting, name).includes(one)
          drop(waiting, name, one)
          if (isWaiting) reject(signal.reason)
        })
        listOf(waiting, name).push(one)
        advance(name)
      })

    const query = async () => ({
      held: [...held].flatMap(([name, all]) => all.map(({ mode }) => ({ name, mode, clientId: '' }))),
      pending: [],
    })

    const unlisten = (type: string, listener: () => void) => {
      listeners.delete(listener)
      page.removeEventListener(type, listener)
    }
    const listen = (type: string, listener: () => void, { signal }: { signal?: AbortSignal } = {}) => {
      if (signal?.aborted) return
      listeners.add(listener)
      page.addEventListener(type, listener)
      signal?.addEventListener('abort', () => unlisten(type, listener))
    }
    const tell = (type: string, persisted: boolean) =>
      page.dispatchEvent(Object.assign(new Event(type), { persisted }))
    const browser = {
      BroadcastChannel: Channel,
      navigator: { locks: { request, query } as never },
      document: {},
      crypto: globalThis.crypto,
      addEventListener: listen,
      removeEventListener: unlisten,
    } satisfies Page & { removeEventListener: unknown }

    const letGo = () => {
      for (const channel of channels) if (channel.tab === tab) channels.delete(channel)
      for (const lists of [waiting, held])
        for (const [name, all] of lists)
          for (const one of [...all]) if (one.tab === tab) drop(lists, name, one)
    }

    return {
      browser,
      run,
      /** Whether the tab is closed. */
      get isGone() {
        return isGone
      },
      get isFrozen() {
        return later !== undefined
      },
      /** Nothing of it runs until it thaws; what it holds stays held. */
      freeze() {
        later ??= []
      },
      thaw() {
        const tasks = later ?? []
        later = undefined
        for (const task of tasks) run(task)
      },
      /** The tab is closed, as a browser does it. */
      close() {
        tell('pagehide', false)
        isGone = true
        letGo()
      },
      /** The page goes into the back/forward cache, and comes back from there. */
      hide: () => tell('pagehide', true),
      show: () => tell('pageshow', true),
      /** What it leaves open. */
      left: () => ({
        channels: [...channels].filter((channel) => channel.tab === tab).length,
        locks: [...held, ...waiting].flatMap(([, all]) => all).filter((one) => one.tab === tab).length,
        listeners: listeners.size,
      }),
    }
  }

  return {
    openTab,
    send,
    /** All that was ever said. */
    messages,
    /** Names of all channels and locks that ever were. */
    names,
  }
}

export type Tab = ReturnType<ReturnType<typeof modelBrowser>['openTab']>
