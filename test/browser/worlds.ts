import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { BrokerRequest, Fault } from '../../demo/stand-in/broker.js'
import { listen } from '../../demo/stand-in/listen.js'
import type { RequestRecord } from '../../demo/stand-in/requests.js'
import { createWorld, type World } from '../../demo/stand-in/world.js'
import { rowWorlds } from './row-worlds.js'
import { createSampleServer, type SampleRequest } from './sample-server.js'

/** What a test may do to its world. */
export type WorldOrder =
  | { do: 'fault'; fault: Fault | null }
  | { do: 'lifetime'; seconds: number | null }
  | { do: 'revoke' }
  | { do: 'forbid'; path: string; forbidden: boolean }
  | { do: 'release' }
  | { do: 'drop-hubs' }
  | { do: 'sign-in'; user: string | null }
  | { do: 'look' }
  | { do: 'close' }

export interface WorldAddress {
  id: number
  weavyUrl: string
  tokenUrl: string
  /** Where a broker serves that behaves as Weavy's sample servers do. */
  sampleUrl: string
}

export interface WorldReport {
  weavy: readonly RequestRecord[]
  broker: readonly BrokerRequest[]
  sample: readonly SampleRequest[]
  hubUsers: string[]
  held: number
}

interface Served extends World {
  readonly sample: readonly SampleRequest[]
}

const worlds = new Map<number, Served>()
let lastId = 0

async function obey(world: World, order: WorldOrder): Promise<void> {
  switch (order.do) {
    case 'fault':
      world.broker.fault = order.fault
      break
    case 'lifetime':
      world.weavy.lifetimeSeconds = order.seconds
      break
    case 'revoke':
      world.weavy.revokeAll()
      break
    case 'forbid':
      world.weavy.forbid(order.path, order.forbidden)
      break
    case 'release':
      world.weavy.release()
      break
    case 'drop-hubs':
      world.weavy.dropHubs()
      break
    case 'sign-in':
      world.user = order.user
      break
    case 'close':
      await world.close()
  }
}

// A process of its own, so that no world stands still while the test runner is busy. It ends with the one that forked it.
const app = new Hono()
app.use(cors())
app.use(async (c, next) => {
  await next()
  // A kept connection may be closed just as it is used again.
  c.header('Connection', 'close')
})
app.route('/rows', rowWorlds)
app.post('/worlds', async (c) => {
  lastId += 1
  const id = lastId
  const world = await createWorld(await c.req.json())
  const sample = createSampleServer(world.weavy.url, world.weavy.apiKey, () => world.user)
  const server = await listen((request) => sample.fetch(request))
  const closeWorld = world.close
  const close = async () => {
    await Promise.all([closeWorld(), server.close()])
  }
  worlds.set(id, Object.assign(world, { sample: sample.requests, close }))
  const address: WorldAddress = {
    id,
    weavyUrl: world.weavy.url,
    tokenUrl: world.tokenUrl,
    sampleUrl: `${server.url}/api/token`,
  }
  return c.json(address)
})
app.post('/worlds/:id', async (c) => {
  const id = Number(c.req.param('id'))
  const world = worlds.get(id)
  if (!world) return c.text('There is no such world.', 404)
  const order: WorldOrder = await c.req.json()
  await obey(world, order)
  if (order.do === 'close') worlds.delete(id)
  const { weavy, broker, sample } = world
  return c.json({
    weavy: weavy.requests,
    broker: broker.requests,
    sample,
    hubUsers: weavy.hubUids(),
    held: weavy.held,
  })
})
const { url } = await listen((request) => app.fetch(request))
process.once('disconnect', () => process.exit())
process.send?.(url)
