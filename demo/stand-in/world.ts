import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { createTokenBroker } from '../../src/broker/index.js'
import { ConnectionReset, createFaultyBroker, type FaultyBroker } from './broker.js'
import { listen } from './listen.js'
import { createStandInWeavy, type StandInWeavy } from './weavy.js'

export interface WorldOptions {
  /** Whose pages may ask the broker for tokens. */
  allowedOrigins: string[]
  /** Who is signed in at first. @default 'alice' */
  user?: string | null
  /** The life of every token, in seconds, an hour at most. @default an hour, which the broker asks for */
  lifetimeSeconds?: number | null
  /** The version that the environment says it is. @default '32.2.0' */
  version?: string
}

export interface World {
  readonly weavy: StandInWeavy
  readonly broker: FaultyBroker
  /** Where the broker serves. With `?user=bob` the token is for bob, whoever is signed in. */
  readonly tokenUrl: string
  /** The uid of who is signed in; null is nobody. */
  user: string | null
  close(): Promise<void>
}

/** Starts a stand-in environment and, on an origin of its own, a broker for it that can be made to fail. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { allowedOrigins, user = 'alice', lifetimeSeconds = null, version } = options
  const weavy = await createStandInWeavy({ lifetimeSeconds, ...(version !== undefined && { version }) })

  const tokenBroker = createTokenBroker({
    weavyUrl: weavy.url,
    apiKey: weavy.apiKey,
    allowedOrigins,
    user: (request) => {
      const uid = new URL(request.url).searchParams.get('user') ?? world.user
      return uid ? { uid, name: uid.charAt(0).toUpperCase() + uid.slice(1) } : null
    },
  })
  const broker = createFaultyBroker({ fetch: tokenBroker.fetch, allowedOrigins })

  async function serve(request: Request, { incoming }: HttpBindings) {
    try {
      return await broker.fetch(request)
    } catch (error) {
      if (!(error instanceof ConnectionReset)) throw error
      incoming.socket.resetAndDestroy()
      return RESPONSE_ALREADY_SENT
    }
  }
  // Chromium silently repeats a request when a connection that it used before is reset, which would count twice.
  const server = await listen(serve, { requestsPerConnection: 1 })

  const world: World = {
    weavy,
    broker,
    tokenUrl: `${server.url}/api/token`,
    user,
    async close() {
      await Promise.all([server.close(), weavy.close()])
    },
  }
  return world
}
