// What the broker costs with a stored token: throughput against a bare handler that answers the same JSON on the same
// server, and the heap of the default store. Exits with 1 when a bound is missed.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const MIN_RATIO = 0.7
const MAX_HEAP_MB = 64
const ROUNDS = 15
const ROUND_MS = 500
const CONNECTIONS = 32

/** Keeps `CONNECTIONS` connections busy and returns how many answers came. */
async function load(port: number, path: string, ms: number): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nHost: app.example\r\nCookie: 256\r\nSec-Fetch-Site: same-origin\r\n\r\n`
  let answers = 0
  let isOver = false
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.setNoDelay(true)
    socket.on('data', (data) => {
      const text = data.toString('latin1')
      if (!text.startsWith('HTTP/1.1 200') || !text.endsWith('}')) throw new Error(`Unexpected: ${text}`)
      answers += 1
      if (!isOver) socket.write(request)
    })
    return socket
  })
  await sleep(ms)
  isOver = true
  for (const socket of sockets) socket.destroy()
  return answers
}

async function cpuOf(server: ChildProcess): Promise<number> {
  server.send('cpu')
  const [{ cpu }] = (await once(server, 'message')) as [{ cpu: number }]
  return cpu
}

/** Starts a script as it would be published: tsx wraps every function it meets, which costs more than the broker. */
async function start(script: string, ...execArgv: string[]): Promise<ChildProcess> {
  const outfile = fileURLToPath(new URL(`../../node_modules/.cache/bench/${script}.mjs`, import.meta.url))
  await build({
    entryPoints: [fileURLToPath(new URL(`${script}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'es2022',
  })
  return fork(outfile, { execArgv })
}

interface Sample {
  perSecond: number
  cpuMicros: number
}

async function measureThroughput(): Promise<boolean> {
  const server = await start('broker-server')
  const [{ ports }] = (await once(server, 'message')) as [{ ports: Record<string, number> }]

  async function sample(port: number, path: string): Promise<Sample> {
    const before = await cpuOf(server)
    const answers = await load(port, path, ROUND_MS)
    const cpu = (await cpuOf(server)) - before
    return { perSecond: (answers * 1000) / ROUND_MS, cpuMicros: cpu / answers }
  }

  /** The round that the rest of the machine disturbed least. */
  function best(samples: Sample[]): Sample {
    return samples.reduce((a, b) => (a.perSecond >= b.perSecond ? a : b))
  }

  const rows: Record<string, Record<string, number | string>> = {}
  let isWithinBound = true
  for (const [name, port] of Object.entries(ports)) {
    const samples: Record<string, Sample[]> = { '/bare': [], '/broker': [] }
    for (const path of Object.keys(samples)) await load(port, path, 2 * ROUND_MS)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [path, taken] of Object.entries(samples)) taken.push(await sample(port, path))
    }
    const [bare, broker] = [best(samples['/bare'] ?? []), best(samples['/broker'] ?? [])]
    const ratio = broker.perSecond / bare.perSecond
    isWithinBound &&= ratio >= MIN_RATIO
    rows[name] = {
      'bare/s': Math.round(bare.perSecond),
      'broker/s': Math.round(broker.perSecond),
      ratio: ratio.toFixed(2),
      bound: `>= ${MIN_RATIO}`,
      'bare CPU µs': bare.cpuMicros.toFixed(1),
      'broker CPU µs': broker.cpuMicros.toFixed(1),
    }
  }
  server.disconnect()
  console.log('\nBroker with a stored token, against a bare handler with the same JSON on the same server')
  console.table(rows)
  return isWithinBound
}

async function measureHeap(): Promise<boolean> {
  const child = await start('broker-heap', '--expose-gc')
  const [{ rows }] = (await once(child, 'message')) as [{ rows: { users: number; heapMb: number }[] }]
  console.log('\nHeap of the default store')
  console.table(rows.map((row) => ({ ...row, bound: `<= ${MAX_HEAP_MB}` })))
  return rows.every(({ heapMb }) => heapMb <= MAX_HEAP_MB)
}

const results = [await measureThroughput(), await measureHeap()]
if (results.includes(false)) {
  console.error('A bound was missed.')
  process.exitCode = 1
}
