import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { LANES, parseOrder } from './control.js'
import { type Environment, SetupError } from './environment.js'
import { createLane } from './lane.js'
import { type Listening, listen } from './stand-in/listen.js'

const BUILT_PAGES = fileURLToPath(new URL('dist', import.meta.url))

export interface DemoOptions {
  /** 0 takes a free one. */
  port: number
  /** Null brings stand-ins. */
  environment: Environment | null
  /** Where the built pages are. @default demo/dist */
  pages?: string
}

/**
 * Serves the built pages, a broker for each, and what their controls ask for, on the loopback interface.
 * @throws {SetupError} when the pages are not built or the port is taken
 */
export async function serveDemo({ port, environment, pages = BUILT_PAGES }: DemoOptions): Promise<Listening> {
  if (!existsSync(`${pages}/index.html`))
    throw new SetupError('The pages are not built. `npm run demo` builds them, then serves them.')
  const app = new Hono()
  const lanes = await Promise.all(
    LANES.map(async (name) => {
      const lane = await createLane(environment)
      app.get(`/${name}/token`, (c) => lane.fetch(c.req.raw))
      app.get(`/control/${name}`, (c) => c.json(lane.report()))
      app.post(`/control/${name}`, async (c) => {
        // Pages of other sites can send no JSON here without a preflight, which nobody answers.
        if (c.req.header('content-type') !== 'application/json') return c.text('JSON only', 415)
        try {
          lane.obey(parseOrder(await c.req.json()))
        } catch (error) {
          return c.text((error as Error).message, 400)
        }
        return c.json(lane.report())
      })
      return lane
    }),
  )
  app.get('*', serveStatic({ root: pages }))
  app.get('*', serveStatic({ root: pages, rewriteRequestPath: (path) => `${path}.html` }))

  async function closeLanes() {
    await Promise.all(lanes.map((lane) => lane.close()))
  }
  try {
    const { url, close } = await listen((request) => app.fetch(request), { port })
    return {
      url,
      close: async () => {
        await Promise.all([close(), closeLanes()])
      },
    }
  } catch (cause) {
    await closeLanes()
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new SetupError(`Port ${port} is in use. Take another one: PORT=${port + 1} npm run demo`, { cause })
  }
}
