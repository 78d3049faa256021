import { Hono } from 'hono'
import { listen } from '../../demo/stand-in/listen.js'
import { createStandInWeavy } from '../../demo/stand-in/weavy.js'
import { type Row, rows } from '../broker-rows.js'
import { issueToken } from '../stand-in/requests.js'

/** What a test may do to its row. */
export interface RowOrder {
  do: 'look' | 'close'
}

export interface RowAddress {
  id: number
  weavyUrl: string
  tokenUrl: string
}

interface RowWorld {
  readonly requests: string[]
  close(): Promise<void>
}

const worlds = new Map<number, RowWorld>()
let lastId = 0

/** An environment and a broker that behaves as others' do, each on an origin of its own. */
export const rowWorlds = new Hono()
  .post('/', async (c) => {
    const { row, user }: { row: Row; user: string | null } = await c.req.json()
    const weavy = await createStandInWeavy()
    const signIn = await listen(
      () => new Response('<!doctype html><form>', { headers: { 'content-type': 'text/html' } }),
    )
    const answer = rows[row]({
      issue: (uid) => issueToken(weavy, uid),
      user: () => user,
      signInUrl: signIn.url,
    })
    const requests: string[] = []
    const broker = await listen((request) => {
      requests.push(new URL(request.url).search)
      return answer(request)
    })
    lastId += 1
    worlds.set(lastId, {
      requests,
      async close() {
        await Promise.all([weavy.close(), signIn.close(), broker.close()])
      },
    })
    return c.json({
      id: lastId,
      weavyUrl: weavy.url,
      tokenUrl: `${broker.url}/api/token`,
    } satisfies RowAddress)
  })
  .post('/:id', async (c) => {
    const id = Number(c.req.param('id'))
    const world = worlds.get(id)
    if (!world) return c.text('There is no such row.', 404)
    const order: RowOrder = await c.req.json()
    if (order.do === 'close') {
      await world.close()
      worlds.delete(id)
    }
    return c.json(world.requests)
  })
