import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const READY_WITHIN_MS = 10_000

export interface RedisServer {
  readonly url: string
  /** Ends the process; connections break. */
  stop(): Promise<void>
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>
  /** Stops the clock of the process: connections stay open and nothing answers. */
  freeze(): void
  unfreeze(): void
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('No port')
  return address.port
}

async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [reply] = await once(socket, 'data')
    return String(reply).startsWith('+PONG')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Starts a real Redis on a free port, in memory only. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort()
  let process: ChildProcess | undefined

  async function start() {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', args, { stdio: 'ignore' })
    const failure = once(child, 'error').then(([error]) => error as NodeJS.ErrnoException)
    const spawned = await Promise.race([once(child, 'spawn').then(() => undefined), failure])
    if (spawned?.code === 'ENOENT') {
      throw new Error(
        'These tests need redis-server. Install it: apt-get install redis-server, brew install redis',
      )
    }
    if (spawned) throw spawned
    process = child
    const deadline = performance.now() + READY_WITHIN_MS
    while (!(await answersPing(port))) {
      if (performance.now() > deadline || child.exitCode !== null)
        throw new Error('redis-server does not start')
      await sleep(20)
    }
  }

  async function stop() {
    const child = process
    process = undefined
    if (!child || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    stop,
    freeze: () => void process?.kill('SIGSTOP'),
    unfreeze: () => void process?.kill('SIGCONT'),
  }
}
