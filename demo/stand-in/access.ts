import type { Context, MiddlewareHandler } from 'hono'
import type { UserEnv } from './answers.js'
import type { Content } from './content.js'
import type { Verdict } from './requests.js'
import type { TokenLedger } from './tokens.js'
import { wait } from './wait.js'

export interface AccessEnv extends UserEnv {
  Variables: UserEnv['Variables'] & { verdict: Verdict }
}

export interface Access {
  /** Passes on requests of a server that holds the API key, about a uid that Weavy allows. */
  requireApiKey: MiddlewareHandler<AccessEnv>
  /** Passes on requests with a living user token; `delay`, `held` and `judge` in the query say when it is judged. */
  requireUser: MiddlewareHandler<AccessEnv>
  /** Has paths that start so answered with 403, or no longer. */
  forbid(pathPrefix: string, forbidden: boolean): void
  /** How many requests wait for `release()`. */
  readonly held: number
  /** From now on `held` holds no request, nor those that it held. */
  release(): void
}

const MAX_DELAY_MS = 60_000

const bearerOf = (c: Context) => c.req.header('authorization')?.match(/^Bearer (.+)$/i)?.[1]

/** UIKit 31 and older know a refused hub by this title. */
const unauthorized = (c: Context) => c.json({ status: 401, title: 'Unauthorized' }, 401)

/** Who may ask for what. Each request's verdict goes into its record. */
export function createAccess(apiKey: string, tokens: TokenLedger, content: Content): Access {
  const forbiddenPrefixes = new Set<string>()
  let held = 0
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })

  return {
    async requireApiKey(c, next) {
      const key = bearerOf(c)
      const uid = c.req.param('uid') ?? ''
      c.set('verdict', key === apiKey ? { uid } : { uid, refused: key ? 'unknown' : 'missing' })
      if (key !== apiKey) return unauthorized(c)
      if (/\s/.test(uid) || /^\d*$/.test(uid)) return c.json({ status: 400, title: 'Invalid uid' }, 400)
      return next()
    },
    async requireUser(c, next) {
      // A WebSocket cannot carry a header.
      const judge = () => tokens.judge(bearerOf(c) ?? c.req.query('access_token'))
      const delay = Math.min(Number(c.req.query('delay')) || 0, MAX_DELAY_MS)
      const early = c.req.query('judge') === 'arrival' ? judge() : undefined
      if (delay > 0) await wait(delay)
      if (c.req.query('held') !== undefined) {
        held += 1
        await released
        held -= 1
      }
      const verdict = early ?? judge()
      c.set('verdict', verdict)
      if (verdict.refused || !verdict.uid) return unauthorized(c)
      if ([...forbiddenPrefixes].some((prefix) => c.req.path.startsWith(prefix))) {
        c.set('verdict', { ...verdict, refused: 'forbidden' })
        return c.json({ status: 403, title: 'Forbidden' }, 403)
      }
      c.set('user', content.saveUser(verdict.uid))
      return next()
    },
    forbid(pathPrefix, forbidden) {
      if (forbidden) forbiddenPrefixes.add(pathPrefix)
      else forbiddenPrefixes.delete(pathPrefix)
    },
    get held() {
      return held
    },
    release,
  }
}
