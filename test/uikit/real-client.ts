import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'
import type { WeavyLike } from '../../src/index.js'

/** As much of a `Weavy` instance as its requests need. `fetch`, `upload` and `fetchOptions` are those of the UIKit. */
export interface RealClient extends WeavyLike {
  url: URL
  isDestroyed: boolean
  serverState: string
  networkStateIsPending: boolean
  fetch(url: string, options?: RequestInit): Promise<Response>
  upload(url: string, method: string, body: string, ...rest: unknown[]): Promise<Response>
  fetchOptions(options?: RequestInit, authorized?: boolean): Promise<RequestInit>
  getToken(refresh?: boolean): Promise<string>
  get(url: string): Promise<Response>
  post(url: string, method: string): Promise<Response>
}

type Exports = Record<string, unknown>

/** The client that the UIKit's own one extends here; it touches no page. */
class WeavyClient {
  static sourceName = '@weavy/uikit-web'
  static version = '0.0.0'
  url = new URL('https://weavy.example')
  isDestroyed = false
  serverState = 'ok'
  networkStateIsPending = false
  tokenFactory: WeavyLike['tokenFactory'] = null
  async getToken(): Promise<string> {
    throw new Error('The UIKit asked its own cache for a token.')
  }
}

/** Runs a module of the UIKit's published sources, and what it imports, with this client in place of its own. */
function load(file: string): Exports {
  const { code } = transformSync(readFileSync(file, 'utf8'), { loader: 'ts', format: 'cjs' })
  const require = (name: string) =>
    name === './weavy' ? { WeavyClient } : load(join(dirname(file), `${name}.ts`))
  const module = { exports: {} as Exports }
  new Function('require', 'module', 'exports', code)(require, module, module.exports)
  return module.exports
}

export const UIKITS = ['uikit-web-25', 'uikit-web-27', 'uikit-web-31', '@weavy/uikit-web'] as const
export type UIKit = (typeof UIKITS)[number]

/** Makes instances with the requests of that UIKit, as its sources have them. */
export const clients = Object.fromEntries(
  UIKITS.map((name) => {
    const file = fileURLToPath(new URL(`../../node_modules/${name}/lib/client/fetch.ts`, import.meta.url))
    const { WeavyFetchMixin } = load(file) as { WeavyFetchMixin(base: unknown): new () => RealClient }
    return [name, WeavyFetchMixin(WeavyClient)]
  }),
) as Record<UIKit, new () => RealClient>
