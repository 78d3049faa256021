import type { Weavy } from '@weavy/uikit-web'
import { expect } from 'vitest'
import { connectWeavy, createTokenSource, type TokenSourceOptions, type WeavyLike } from 'weavy-token'
import { isUnheard } from './unheard.js'
import { dispose, sleep, type startWorld } from './world.js'

/** What these tests use of a `Weavy` instance, the same in every version of the UIKit. */
export interface WeavyInstance extends WeavyLike {
  fetch(url: string, options?: { method: 'POST'; body: string }): Promise<Response>
  upload(url: string, method: 'POST', body: FormData, contentType: string): Promise<Response>
  getToken(refresh?: boolean): Promise<string>
  destroy(): void
  whenTokenIsValid(): Promise<void>
  readonly network: { isPending: boolean }
  readonly queryClient: Weavy['queryClient']
}

export type WeavyConstructor = new (options: { url: string; tokenUrl?: string }) => WeavyInstance

export type World = Awaited<ReturnType<typeof startWorld>>

/** Every GET has a URL of its own: browsers queue equal ones. */
let serial = 0
export const userPath = (query = '') => `/api/user?n=${serial++}${query}`

export const get = async (weavy: WeavyInstance, query?: string) => (await weavy.fetch(userPath(query))).status

export const upload = async (weavy: WeavyInstance) => {
  const body = new FormData()
  body.append('blob', new Blob(['hello']), 'hello.txt')
  return (await weavy.upload('/api/blobs', 'POST', body, '')).status
}

export const messenger = (world: World) => void world.show('wy-messenger')

/** The text of the page, that inside of components included. */
export const visibleText = (root: Node = document.body): string =>
  root.nodeType === Node.TEXT_NODE
    ? (root as Text).data
    : [...root.childNodes, ...((root as Element).shadowRoot?.childNodes ?? [])]
        .filter(({ nodeName }) => nodeName !== 'STYLE')
        .map((node) => visibleText(node))
        .join(' ')

/** Until nothing more of what a component asks when it appears is in the air. */
export const quiet = async (world: World) => {
  const count = async () => (await world.look()).weavy.length
  for (let before = -1, now = 0; before !== now; before = now, now = await count()) await sleep(500)
}

/** What an app on this page would be told. */
export const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error) => error,
  )

/**
 * Nobody handles what the UIKit's own calls reject with. Says at the end of its block that these were cut off by a
 * switch, all of them.
 */
export function hearSwitch(): Disposable {
  const codes = new Set<unknown>()
  const hear = ({ reason }: PromiseRejectionEvent) => {
    if (!isUnheard(Object(reason))) codes.add(reason?.code ?? String(reason))
  }
  window.addEventListener('unhandledrejection', hear)
  return {
    [dispose]() {
      window.removeEventListener('unhandledrejection', hear)
      expect([...codes].filter((code) => code !== 'superseded' && code !== 'other_user')).toEqual([])
    },
  }
}

/** Makes instances that end with their world. */
export function instancesOf(Weavy: WeavyConstructor) {
  const make = (world: World, builtIn = {}) => {
    const weavy = new Weavy({ url: world.weavyUrl, ...builtIn })
    world.defer(() => weavy.destroy())
    return weavy
  }
  const sourceFor = (world: World, options?: Partial<TokenSourceOptions>) => {
    const source = createTokenSource({ tokenUrl: world.tokenUrl, ...options })
    world.defer(source.close)
    return source
  }
  return {
    connected(world: World, options?: Partial<TokenSourceOptions>) {
      const source = sourceFor(world, options)
      const weavy = make(world)
      connectWeavy(source, weavy)
      return { source, weavy }
    },
    /** Instances that have nothing but a factory each. */
    plain(world: World, count: number) {
      const source = sourceFor(world)
      return [...Array(count)].map(() => {
        const weavy = make(world)
        weavy.tokenFactory = source.createTokenFactory()
        return weavy
      })
    },
    builtIn: (world: World) => make(world, { tokenUrl: world.tokenUrl }),
  }
}
