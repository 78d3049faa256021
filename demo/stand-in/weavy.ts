import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { upgradeWebSocket } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono, type Next } from 'hono'
import { cors } from 'hono/cors'
import type { UpgradeWebSocket } from 'hono/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { createUserApi, type UserEnv } from './api.js'
import { createContent } from './content.js'
import { createHub } from './hub.js'
import { listen } from './listen.js'
import { createRequestLog, kindOf, type RequestRecord, type Verdict } from './requests.js'
import { createTokenLedger } from './tokens.js'

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
  /** Cuts every hub connection without a closing handshake and returns how many there were. */
  dropHubs(): number
  /** How many hub connections are open. */
  readonly hubs: number
  /** Whose hub connections are open, one entry for each. */
  hubUids(): string[]
  close(): Promise<void>
}

interface Env extends UserEnv {
  Variables: UserEnv['Variables'] & { verdict: Verdict; issued: Verdict }
}

const DEFAULT_LIFETIME_SECONDS = 3600
const MAX_DELAY_MS = 60_000

/** The adapter types sockets by what it needs of them; these are those of `ws`. */
const upgradeToWebSocket = upgradeWebSocket as UpgradeWebSocket<WebSocket>

/**
 * Where the modules of this version are, which the UIKit imports from its environment as it needs them (the editor, for
 * one): of the package `uikit-web-MAJOR`, an alias by which a project can have several, else `@weavy/uikit-web`.
 */
function uikitModules(version: string): string {
  const { resolve } = createRequire(import.meta.url)
  try {
    return dirname(resolve(`uikit-web-${version.split('.')[0]}`))
  } catch {
    return dirname(resolve('@weavy/uikit-web'))
  }
}

const bearerOf = (c: Context) => c.req.header('authorization')?.match(/^Bearer (.+)$/i)?.[1]

/**
 * Starts an environment that the UIKit can work with: user tokens with real expiry and revocation, a messenger's
 * content, the real-time hub. It listens on the loopback interface, open to pages of any origin.
 *
 * A request for user data can carry `?delay=MS`, at most 60,000: it is answered that much later, and its token is judged
 * then, or with `&judge=arrival` before the wait.
 */
export async function createStandInWeavy(options: StandInWeavyOptions = {}): Promise<StandInWeavy> {
  const { apiKey = `wys_${randomBytes(24).toString('base64url')}`, port, version = '32.2.0' } = options
  let { lifetimeSeconds = null } = options
  const tokens = createTokenLedger()
  const content = createContent()
  const hub = createHub()
  const log = createRequestLog()
  const forbiddenPrefixes = new Set<string>()

  const app = new Hono<Env>()
  app.use(cors({ origin: (origin) => origin || '*', credentials: true }))
  app.use(
    '/uikit-web/*',
    serveStatic({ root: uikitModules(version), rewriteRequestPath: (path) => path.slice(10) }),
  )
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

  async function requireApiKey(c: Context<Env>, next: Next) {
    const key = bearerOf(c)
    const uid = c.req.param('uid') ?? ''
    c.set('verdict', key === apiKey ? { uid } : { uid, refused: key ? 'unknown' : 'missing' })
    if (key !== apiKey) return c.json({ status: 401, title: 'Unauthorized' }, 401)
    if (/\s/.test(uid) || /^\d*$/.test(uid)) return c.json({ status: 400, title: 'Invalid uid' }, 400)
    return next()
  }
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

  async function requireUser(c: Context<Env>, next: Next) {
    const judge = () => tokens.judge(bearerOf(c) ?? c.req.query('access_token'))
    const delay = Math.min(Number(c.req.query('delay')) || 0, MAX_DELAY_MS)
    const early = c.req.query('judge') === 'arrival' ? judge() : undefined
    if (delay > 0) await sleep(delay)
    const verdict = early ?? judge()
    c.set('verdict', verdict)
    if (verdict.refused || !verdict.uid) return c.json({ status: 401, title: 'Unauthorized' }, 401)
    if ([...forbiddenPrefixes].some((prefix) => c.req.path.startsWith(prefix))) {
      c.set('verdict', { ...verdict, refused: 'forbidden' })
      return c.json({ status: 403, title: 'Forbidden' }, 403)
    }
    c.set('user', content.saveUser(verdict.uid))
    return next()
  }
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
    forbid(pathPrefix, forbidden = true) {
      if (forbidden) forbiddenPrefixes.add(pathPrefix)
      else forbiddenPrefixes.delete(pathPrefix)
    },
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
