import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { find } from '../../../scripts/browsers.mjs'

/** One WebKit with a profile of its own. Its windows are tabs of one browser. */
export interface WebKitSession {
  /** Opens `url` in the window that is in front, and waits for its `load`. */
  open(url: string): Promise<void>
  /** Opens `url` in another window; the first one stays in front for the driver. Resolves with what closes it. */
  openTab(url: string): Promise<() => Promise<void>>
  close(): Promise<void>
}

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

  const send = async <T>(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object): Promise<T> => {
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
      capabilities: { alwaysMatch: { timeouts: { pageLoad: 60_000 } } },
    })
    const at = `/session/${sessionId}`
    const first = await send<string>('GET', `${at}/window`)
    const open = (url: string) => send<void>('POST', `${at}/url`, { url })
    const front = (handle: string) => send<void>('POST', `${at}/window`, { handle })
    return {
      open,
      async openTab(url) {
        const { handle } = await send<{ handle: string }>('POST', `${at}/window/new`, { type: 'tab' })
        await front(handle)
        await open(url)
        await front(first)
        return async () => {
          await front(handle)
          await send('DELETE', `${at}/window`)
          await front(first)
        }
      },
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
