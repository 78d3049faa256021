import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Hono } from 'hono'
import { onTestFinished } from 'vitest'
import type { Fault } from '../../../demo/stand-in/broker.js'
import { listen } from '../../../demo/stand-in/listen.js'
import { createWorld } from '../../../demo/stand-in/world.js'
import { GIVE_MS } from '../../../src/tabs/room.js'
import type { Engine, EnginePage } from '../../engines.js'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/** The scripts of a page, by their names. */
export type Scripts = ReadonlyMap<string, string>

/** The page of these tests: the built library, and the real UIKit for the tabs that use it. */
export async function buildPage(): Promise<Scripts> {
  const { outputFiles } = await build({
    entryPoints: [path('page.ts')],
    bundle: true,
    splitting: true,
    format: 'esm',
    write: false,
    outdir: '.',
    alias: {
      'weavy-token': path('../../../dist/index.js'),
      'weavy-token/tabs': path('../../../dist/tabs.js'),
    },
  })
  const scripts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
  return scripts.set('other-protocol.js', ofOtherProtocol(scripts.get('page.js') as string))
}

/** The same page as another version of the library has it. */
const ofOtherProtocol = (script: string): string => {
  const other = script.replace('PROTOCOL = 1', 'PROTOCOL = 2')
  if (other === script) throw new Error('The protocol is not found in the page.')
  return other
}

/** It goes back by itself, because not every driver notices a page that comes from the cache. */
const OTHER = `<!doctype html><title>Another page</title><script>
  addEventListener('load', () => setInterval(async () => {
    if ((await (await fetch('/go')).text()) === 'true') history.back()
  }, 200))
</script>`

export interface Answer {
  ms: number
  token: string
}

/** One tab. */
export type Tab = EnginePage & {
  start(options?: object): Promise<void>
  /** Asks for a token; `end` waits for it. Some engine evaluates in one tab at a time. */
  begin(rejected?: boolean): Promise<void>
  end(): Promise<Answer>
}

/** Tabs that worlds before left behind, which is quicker than opening others. */
const left = new WeakMap<Engine, EnginePage[]>()

async function openTab(engine: Engine, url: string): Promise<EnginePage> {
  const page = left.get(engine)?.pop()
  if (!page) return engine.open(url)
  await page.goto(url)
  return page
}

/** A stand-in environment, its broker, and tabs of one browser. */
export async function startWorld(
  engine: Engine,
  scripts: Scripts,
  options: { lifetimeSeconds?: number; delayMs?: number } = {},
  atEnd: (end: () => Promise<void>) => void = onTestFinished,
) {
  const { lifetimeSeconds = null, delayMs = 0 } = options
  const app = new Hono()
  const javascript = { 'Content-Type': 'text/javascript' }
  for (const [name, script] of scripts) app.get(`/${name}`, (c) => c.body(script, 200, javascript))
  let looked = 0
  app.post('/looked', (c) => {
    looked += 1
    return c.body(null, 204)
  })
  app.get('/favicon.ico', (c) => c.body(null, 204))
  let mayGoBack = false
  /** Pages that came back from the back/forward cache and have a token. */
  const shown: unknown[] = []
  app.get('/go', (c) => c.text(String(mayGoBack)))
  app.post('/shown', async (c) => {
    shown.push(await c.req.text())
    return c.body(null, 204)
  })
  app.get('/other', (c) => c.html(OTHER))
  app.get('/', (c) =>
    c.html(
      `<!doctype html><title>A tab</title><script type="module" src="/${c.req.query('script') ?? 'page'}.js"></script>`,
    ),
  )
  const server = await listen(app.fetch)
  const world = await createWorld({ allowedOrigins: [server.url], lifetimeSeconds })
  let slowMs = 0
  const slow = (ms: number) => {
    slowMs = ms
    world.broker.fault = ms ? ({ kind: 'slow', ms } satisfies Fault) : null
  }
  slow(delayMs)
  let ungiven = 0
  const tabs = new Set<EnginePage>()
  atEnd(async () => {
    for (const tab of tabs) await tab.goto('about:blank')
    left.set(engine, [...(left.get(engine) ?? []), ...tabs])
    await Promise.all([server.close(), world.close()])
  })

  return {
    broker: world.broker,
    weavy: world.weavy,
    url: server.url,
    /** Requests of tabs that were answered, or are on their way. */
    asked: () => world.broker.requests.length,
    /** Requests among them that a page made when one had failed. */
    looked: () => looked,
    /** Requests that Weavy refused. */
    refused: () => world.weavy.requests.filter(({ refused }) => refused !== undefined),
    /** Whoever is signed in from now on. */
    signIn: (user: string) => {
      world.user = user
    },
    shown,
    letGoBack() {
      mayGoBack = true
    },
    slow,
    /** Answers of tabs that had waited as long as others have to give a token, on a busy machine, and may have asked. */
    ungiven: () => ungiven,
    async open(script = 'page'): Promise<Tab> {
      const page = await openTab(engine, `${server.url}/?script=${script}`)
      tabs.add(page)
      // The module has run when `load` is over.
      return {
        ...page,
        close: () => {
          tabs.delete(page)
          return page.close()
        },
        start: async (more: object = {}) => {
          const start = { tokenUrl: world.tokenUrl, ...more }
          await page.evaluate(`tab.start(${JSON.stringify(start)})`)
        },
        begin: (rejected = false) => page.evaluate<void>(`void (tab.last = tab.ask(${rejected}))`),
        end: async () => {
          const answer = await page.evaluate<Answer>('tab.last')
          if (answer.ms >= GIVE_MS + slowMs) ungiven += 1
          return answer
        },
      }
    },
    tokenUrl: world.tokenUrl,
    weavyUrl: world.weavy.url,
  }
}
