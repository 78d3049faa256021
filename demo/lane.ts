import { Keyv } from 'keyv'
import { createTokenBroker, type TokenBroker, toUid } from 'weavy-token/broker'
import { DEFAULTS, FAULTS, type Order, type Report, type Settings } from './control.js'
import type { Environment } from './environment.js'
import { createFaultyBroker } from './stand-in/broker.js'
import { createStandInWeavy } from './stand-in/weavy.js'

export interface Lane {
  /** The token broker of the page. */
  fetch(request: Request): Promise<Response>
  /** @throws {TypeError} for what only a stand-in can do */
  obey(order: Order): void
  report(): Report
  close(): Promise<void>
}

const FORBIDDEN_PATH = '/api/notifications'

/** What was in the air when a page switched may arrive so much later: it comes on other connections than the word of the page. */
const IN_THE_AIR_MS = 500

const uidOf = (user: Settings['user']) => (user === null ? null : toUid(user, 'demo-'))

/** A broker made with `weavy-token/broker` that can be made to fail, for a stand-in environment or a real one. */
export async function createLane(environment: Environment | null): Promise<Lane> {
  const standIn = environment ? null : await createStandInWeavy()
  const { weavyUrl, apiKey } = environment ?? { weavyUrl: standIn?.url, apiKey: standIn?.apiKey }
  let settings: Settings = DEFAULTS
  let tokenBroker: TokenBroker
  let begun = 0
  let followedAt = 0

  /** A broker that holds no token, so that the next one has the lifetime that is set now. */
  function renewBroker() {
    tokenBroker = createTokenBroker({
      weavyUrl,
      apiKey,
      expiresIn: settings.lifetimeSeconds,
      // Without a store, brokers of one process share one memory.
      store: new Keyv(),
      user: () => {
        const uid = uidOf(settings.user)
        return uid === null ? null : { uid, name: settings.user === 'bob' ? 'Bob' : 'Alice' }
      },
    })
  }
  const faulty = createFaultyBroker({ fetch: (request) => tokenBroker.fetch(request), allowedOrigins: [] })

  function apply(changes: Partial<Settings>) {
    const before = settings
    settings = { ...settings, ...changes }
    faulty.fault = settings.fault && FAULTS[settings.fault]
    if (settings.user !== before.user) followedAt = Number.POSITIVE_INFINITY
    if (settings.lifetimeSeconds !== before.lifetimeSeconds) renewBroker()
    standIn?.forbid(FORBIDDEN_PATH, settings.forbidden)
  }
  renewBroker()

  return {
    fetch: (request) => faulty.fetch(request),
    obey({ do: action, settings: changes = {} }) {
      if (!standIn && (action === 'revoke' || action === 'drop-hub' || changes.forbidden))
        throw new TypeError('only a stand-in environment can do this')
      if (action === 'begin') {
        begun = Date.now()
        apply({ ...DEFAULTS, ...changes })
        renewBroker()
      } else apply(changes)
      if (action === 'begin' || action === 'followed') followedAt = Date.now() + IN_THE_AIR_MS
      if (action === 'revoke') standIn?.revokeAll()
      if (action === 'drop-hub') standIn?.dropHubs()
    },
    report() {
      const asked = faulty.requests.filter(({ at }) => at >= begun)
      const seen = standIn?.requests.filter(({ at }) => at >= begun) ?? []
      const byUser = seen.filter(({ kind }) => kind === 'api' || kind === 'upload' || kind === 'negotiate')
      const uid = uidOf(settings.user)
      return {
        weavyUrl: String(weavyUrl),
        broker: {
          requests: asked.length,
          refreshes: asked.filter(({ refresh }) => refresh).length,
          failed: asked.filter(({ status }) => status !== 200 && status !== 'hung').length,
        },
        weavy: standIn && {
          tokens: seen.filter(({ kind, status }) => kind === 'token' && status === 200).length,
          requests: byUser.length,
          refused: byUser.filter(({ status }) => status === 401).length,
          forbidden: byUser.filter(({ status }) => status === 403).length,
          wrongUser: byUser.filter((one) => one.at > followedAt && one.uid !== undefined && one.uid !== uid)
            .length,
          hubsOpened: seen.filter(({ kind, status }) => kind === 'hub' && status === 101).length,
          hubs: standIn.hubs,
        },
      }
    },
    close: async () => standIn?.close(),
  }
}
