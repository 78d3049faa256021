import { randomBytes } from 'node:crypto'
import { upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { UpgradeWebSocket } from 'hono/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { type AccessEnv, createAccess } from './access.js'
import { createUserApi } from './api.js'
import { createContent } from './content.js'
import { createHub } from './hub.js'
import { listen } from './listen.js'
import { createRequestLog, kindOf, type RequestRecord } from './requests.js'
import { createTokenLedger } from './tokens.js'
import { serveUikitModules } from './uikit-modules.js'

export type { RequestRecord } from './requests.js'

export interface StandInWeavyOptions {
  /** @default a random `wys_…` */
  apiKey?: string
  /** @default a free one */
  port?: number
  /** What `GET /version` answers; the UIKit complains unless it is its own. @default '32.2.0' */
  version?: string
  /** @default null */
  lifetimeSeconds?: number | null
}

export interface StandInWeavy {
  readonly url: string
  readonly apiKey: string
  /** Where set, the life of tokens issued from now on, whatever their request asks for. Fractions count. */
  lifetimeSeconds: number | null
  /** The last 10,000 requests, in the order of their answers. Preflights and the UIKit's own modules do not count. */
  readonly requests: readonly RequestRecord[]
  /** Kills all user tokens. Hub connections stay open, as in Weavy. */
  revokeAll(): void
  /** Kills the tokens of one user. */
  revoke(uid: string): void
  /** Has paths that start so answered with 403, or, with `false`, no longer. */
  forbid(pathPrefix: string, forbidden?: boolean): void
  /** How many requests wait for `release()`. */
  readonly held: number
  /** Lets requests with `?held` go on: those that wait, and all that come. */
  release(): void
  /** Cuts every hub connection without a closing handshake and returns how many there were. */
  dropHubs(): number
  /** How many hub connections are open. */
  readonly hubs: number
  /** Whose hub connections are open, one entry for each. */
  hubUids(): string[]
  close(): Promise<void>
}

const DEFAULT_LIFETIME_SECONDS = 3600

/** The adapter types sockets by what it needs of them; these are those of `ws`. */
const upgradeToWebSocket = upgradeWebSocket as UpgradeWebSocket<WebSocket>

/**
 * Starts an environment that the UIKit can work with: user tokens with real expiry and revocation, a messenger's
 * content, the real-time hub. It listens on the loopback interface, open to pages of any origin.
 *
 * A request for user data can carry `?delay=MS`, at most 60,000: it is answered that much later, and its token is judged
 * then, or with `&judge=arrival` before the wait. One with `?held` waits for `release()`.
 */
export async function createStandInWeavy(options: StandInWeavyOptions = {}): Promise<StandInWeavy> {
  const { apiKey = `wys_${randomBytes(24).toString('base64url')}`, port, version = '32.2.0' } = options
  let { lifetimeSeconds = null } = options
  const tokens = createTokenLedger()
  const content = createContent()
  const hub = createHub()
  const log = createRequestLog()
  const access = createAccess(apiKey, tokens, content)
  const { requireApiKey, requireUser } = access

  const app = new Hono<AccessEnv>()
  app.use(cors({ origin: (origin) => origin || '*', credentials: true }))
  app.use('/uikit-web/*', serveUikitModules(version))
  app.use(async (c, next) => {
    const at = Date.now()
    const arrived = performance.now()
    await next()
    const { method, path } = c.req
    const kind = kindOf(method, path)
    const status = kind === 'hub' && c.res.ok ? 101 : c.res.status
    log.add({ at, method, path, kind, ...c.get('verdict'), status, ms: performance.now() - arrived })
  })

  app.get('/version', (c) => c.text(version))

  app.post('/api/users/:uid/tokens', requireApiKey)
  app.put('/api/users/:uid', requireApiKey)
  app.post('/api/users/:uid/tokens', async (c) => {
    const { expires_in, ...profile } = await c.req.json().catch(() => ({}))
    const uid = c.req.param('uid')
    // Weavy takes a profile from here only for a user it does not know yet.
    if (!content.users.has(uid)) content.saveUser(uid, profile)
    const lifetime = lifetimeSeconds ?? (expires_in > 0 ? Number(expires_in) : DEFAULT_LIFETIME_SECONDS)
    const { token, tokenId } = tokens.issue(uid, lifetime)
    c.set('verdict', { uid, tokenId })
    return c.json({ access_token: token, expires_in: lifetime })
  })
  app.put('/api/users/:uid', async (c) => {
    content.saveUser(c.req.param('uid'), await c.req.json())
    return c.json({ uid: c.req.param('uid') })
  })

  app.use('/api/*', requireUser)
  app.route('/api', createUserApi(content, hub))
  app.post('/hubs/rtm/negotiate', requireUser, (c) => c.json(hub.negotiate()))
  app.get(
    '/hubs/rtm',
    requireUser,
    upgradeToWebSocket((c) => hub.accept(c.get('user').uid)),
  )

  const server = await listen((request, env) => app.fetch(request, env), {
    ...(port !== undefined && { port }),
    webSocketServer: new WebSocketServer({ noServer: true }),
  })

  return {
    url: server.url,
    apiKey,
    get lifetimeSeconds() {
      return lifetimeSeconds
    },
    set lifetimeSeconds(seconds) {
      lifetimeSeconds = seconds
    },
    requests: log.records,
    revokeAll: () => tokens.revoke(),
    revoke: (uid) => tokens.revoke(uid),
    forbid: (pathPrefix, forbidden = true) => access.forbid(pathPrefix, forbidden),
    get held() {
      return access.held
    },
    release: access.release,
    dropHubs: hub.drop,
    get hubs() {
      return hub.uids().length
    },
    hubUids: hub.uids,
    async close() {
      hub.close()
      await server.close()
    },
  }
}
