import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { find } from '../../../scripts/browsers.mjs'

/** A window of WebKit. */
export interface WebKitPage {
  /** Resolves after the `load` of the page. */
  goto(url: string): Promise<void>
  /** Evaluates an expression, waits for its promise, and brings what JSON can bring. Rejects as the expression does. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

/** One WebKit with a profile of its own. */
export interface WebKitSession {
  /** Opens a page in a window of its own, beside the others; resolves after its `load`. */
  open(url: string): Promise<WebKitPage>
  close(): Promise<void>
}

type Send = <T>(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object) => Promise<T>

/** What makes WebKit draw into a virtual screen, as root and without a graphics card. */
const ENVIRONMENT = {
  WEBKIT_DISABLE_COMPOSITING_MODE: '1',
  WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
  LIBGL_ALWAYS_SOFTWARE: '1',
}

const pathOf = (name: 'webkit' | 'display'): string => {
  const program = find(name)
  if (!program || program.playwrights) throw new Error('WebKitGTK is missing: run node scripts/browsers.mjs.')
  return program.path
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill()
  await exit
}

/** Starts an X server that nobody sees. Resolves with its name and what ends it. */
async function startDisplay() {
  const server = spawn(
    pathOf('display'),
    ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  )
  const [number] = await once(server.stdio[3] as Readable, 'data')
  return { name: `:${String(number).trim()}`, close: () => ended(server) }
}

const RUN = `const done = arguments[arguments.length - 1]
  new Promise((resolve) => resolve((EXPRESSION))).then((value) => done({ value }), (error) => done({ error: String(error) }))`

/** The windows of a session. The driver speaks to one at a time, so whatever is asked of them waits for its turn. */
function windowsOf(send: Send): Pick<WebKitSession, 'open'> {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(task)
    last = turn.catch(() => {})
    return turn
  }
  const open = new Set<string>()
  /** The session ends with its last window, so that one is kept. */
  let idle: Promise<string> | undefined = send<string>('GET', '/window')

  return {
    async open(url) {
      const taken = idle
      idle = undefined
      const handle = await (taken ??
        inTurn(
          async () => (await send<{ handle: string }>('POST', '/window/new', { type: 'window' })).handle,
        ))
      open.add(handle)
      const here = <T>(task: () => Promise<T>) =>
        inTurn(async () => {
          await send('POST', '/window', { handle })
          return task()
        })
      const goto = (to: string) => here(() => send<void>('POST', '/url', { url: to }))
      await goto(url)
      return {
        goto,
        async evaluate<T>(expression: string) {
          const script = RUN.replace('EXPRESSION', () => expression)
          const { value, error } = await here(() =>
            send<{ value: T; error?: string }>('POST', '/execute/async', { script, args: [] }),
          )
          if (error !== undefined) throw new Error(error)
          return value
        },
        async close() {
          open.delete(handle)
          if (open.size) return here(() => send('DELETE', '/window'))
          await goto('about:blank')
          idle = Promise.resolve(handle)
        },
      }
    },
  }
}

/**
 * Starts WebKitGTK on a display of its own and speaks plain WebDriver to it. Each has a process of its own, because a
 * driver has one session at most.
 *
 * @see https://www.w3.org/TR/webdriver2/
 */
export async function startWebKit(): Promise<WebKitSession> {
  const display = await startDisplay()
  const port = await freePort()
  const driver = spawn(pathOf('webkit'), [`--port=${port}`], {
    env: { ...process.env, ...ENVIRONMENT, DISPLAY: display.name },
    stdio: 'ignore',
  })
  const endWithUs = () => driver.kill()
  process.once('exit', endWithUs)

  const send: Send = async <T>(method: string, at: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}${at}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    })
    const { value } = (await response.json()) as { value: T & { message?: string } }
    if (!response.ok) throw new Error(`WebKit refused ${method} ${at}: ${value.message}`)
    return value
  }

  const close = async () => {
    process.off('exit', endWithUs)
    await ended(driver)
    await display.close()
  }

  try {
    for (let tries = 1; ; tries++)
      try {
        await send('GET', '/status')
        break
      } catch (error) {
        if (tries === 100) throw error
        await sleep(50)
      }
    // Without a browserName: the driver refuses its own.
    const { sessionId } = await send<{ sessionId: string }>('POST', '/session', {
      capabilities: { alwaysMatch: { timeouts: { pageLoad: 60_000, script: 60_000 } } },
    })
    const at = `/session/${sessionId}`
    return {
      ...windowsOf((method, path, body) => send(method, at + path, body)),
      async close() {
        await send('DELETE', at)
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
