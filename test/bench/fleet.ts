// Three broker processes on one real Redis, and users with four tabs each: how many calls to Weavy a user and rotation
// cost, also while Redis is gone for ten seconds. Exits with 1 when a bound is missed.
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type RedisServer, startRedis } from '../broker/redis-server.js'

const PROCESSES = 3
const USERS = Number(process.env.USERS ?? 300)
const TABS = 4
const LIFETIME_S = Number(process.env.LIFETIME ?? 60)
const ROTATIONS = 2
const RESTORED_WITHIN_MS = 300
const REDIS_GONE_MS = 10_000
const MAX_CALLS = 1.05
const MAX_CALLS_WITHOUT_REDIS = 1.3

/** The same numbers in every run. */
function createRandom(seed: number) {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}
const random = createRandom(13)

const digestOf = (token: string) => createHash('sha256').update(token).digest('base64url').slice(0, 22)
const agent = new Agent({ keepAlive: true, maxSockets: 256 })

/** A Weavy that takes 60 to 120 ms. */
async function startWeavy() {
  let calls = 0
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    calls += 1
    const body = JSON.stringify({ access_token: `wyu_${calls}_${'x'.repeat(30)}`, expires_in: LIFETIME_S })
    setTimeout(() => outgoing.setHeader('Content-Type', 'application/json').end(body), 60 + random() * 60)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, calls: () => calls, close: () => void server.close() }
}

interface Answer {
  access_token: string
  expires_in: number
  sub: string
}

interface Sample {
  status: number
  ms: number
}

function get(port: number, path: string, uid: string): Promise<{ status: number; body: Answer; ms: number }> {
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, agent, headers: { Cookie: uid, 'Sec-Fetch-Site': 'same-origin' } },
      (incoming) => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (chunk) => {
          text += chunk
        })
        incoming.on('end', () => {
          const ms = performance.now() - started
          resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(text), ms })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** A tab as the token source is one: a first token, then one ahead of each expiry, with jitter. */
async function tab(ports: number[], uid: string, startsInMs: number, samples: Sample[]) {
  await sleep(startsInMs)
  for (let held: string | undefined, rotations = 0; ; ) {
    const port = ports[Math.floor(random() * ports.length)] as number
    const query = held === undefined ? '' : `?refresh=true&held=${digestOf(held)}`
    const { status, body, ms } = await get(port, `/api/token${query}`, uid)
    samples.push({ status, ms })
    if (status !== 200) {
      await sleep(1_000)
      continue
    }
    held = body.access_token
    const leadMs = body.expires_in * 100
    const waitMs = body.expires_in * 1_000 - leadMs * (1 + random())
    if (rotations === ROTATIONS) return
    rotations += 1
    await sleep(waitMs)
  }
}

async function startFleet(redisUrl: string, weavyUrl: string, lease: boolean): Promise<ChildProcess[]> {
  const outfile = fileURLToPath(new URL('../../node_modules/.cache/bench/fleet-broker.mjs', import.meta.url))
  await build({
    entryPoints: [fileURLToPath(new URL('fleet-broker.ts', import.meta.url))],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'es2022',
  })
  const env = {
    ...process.env,
    REDIS_URL: redisUrl,
    WEAVY_URL: weavyUrl,
    WEAVY_APIKEY: 'wys_fleet',
    LIFETIME: String(LIFETIME_S),
    LEASE: lease ? '1' : '0',
  }
  return Array.from({ length: PROCESSES }, () => fork(outfile, { env }))
}

function percentile(samples: Sample[], share: number): string {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
}

interface Run {
  name: string
  lease: boolean
  bound: number | undefined
  trouble?: (redis: RedisServer) => Promise<void>
}

async function measure({ name, lease, bound, trouble }: Run) {
  const redis = await startRedis()
  const weavy = await startWeavy()
  const children = await startFleet(redis.url, weavy.url, lease)
  try {
    const ports = await Promise.all(
      children.map(async (child) => (await once(child, 'message'))[0] as number),
    )
    await sleep(500)
    const samples: Sample[] = []
    const tabs: Promise<void>[] = []
    for (let user = 0; user < USERS; user += 1) {
      // Users come when they come. Half of them restore all their tabs at once; the others open theirs over some seconds.
      const isRestored = user % 2 === 0
      const begins = random() * LIFETIME_S * 1_000
      for (let index = 0; index < TABS; index += 1) {
        const spreadMs = random() * (isRestored ? RESTORED_WITHIN_MS : 5_000)
        tabs.push(tab(ports, `u-${user}`, begins + spreadMs, samples))
      }
    }
    // When everybody is there, and rotates.
    const troubled = sleep(LIFETIME_S * 1_200).then(() => trouble?.(redis))
    await Promise.all([...tabs, troubled])
    const bare: Sample[] = []
    for (let i = 0; i < 2_000; i += 1) bare.push(await get(ports[i % PROCESSES] as number, '/bare', 'u-0'))
    const warm: Sample[] = []
    await get(ports[0] as number, '/api/token', 'u-0')
    for (let i = 0; i < 2_000; i += 1) {
      warm.push(await get(ports[i % PROCESSES] as number, '/api/token', 'u-0'))
    }
    const perRotation = weavy.calls() / USERS / (ROTATIONS + 1)
    const failed = samples.filter(({ status }) => status !== 200).length
    return {
      isGood: failed === 0 && (bound === undefined || perRotation <= bound),
      row: {
        run: name,
        requests: samples.length,
        failed,
        'calls per user and token': perRotation.toFixed(2),
        bound: bound === undefined ? '' : `<= ${bound}`,
        'p50 ms': percentile(samples, 0.5),
        'p99 ms': percentile(samples, 0.99),
        'stored p50': percentile(warm, 0.5),
        'stored p99': percentile(warm, 0.99),
        'bare p50': percentile(bare, 0.5),
        'bare p99': percentile(bare, 0.99),
      },
    }
  } finally {
    for (const child of children) child.disconnect()
    weavy.close()
    await redis.stop()
  }
}

const killed = async (redis: RedisServer) => {
  await redis.stop()
  await sleep(REDIS_GONE_MS)
  await redis.start()
}
const stopped = async (redis: RedisServer) => {
  redis.freeze()
  await sleep(REDIS_GONE_MS)
  redis.unfreeze()
}

const runs: Run[] = [
  { name: 'with a lease', lease: true, bound: MAX_CALLS },
  { name: 'without', lease: false, bound: undefined },
  { name: 'Redis killed for 10 s', lease: true, bound: MAX_CALLS_WITHOUT_REDIS, trouble: killed },
  { name: 'Redis stopped for 10 s', lease: true, bound: MAX_CALLS_WITHOUT_REDIS, trouble: stopped },
]
const only = process.env.RUN
const rows: object[] = []
for (const run of runs.filter(({ name }) => !only || name.includes(only))) {
  const { row, isGood } = await measure(run)
  rows.push(row)
  if (!isGood) process.exitCode = 1
}
console.log(
  `\n${PROCESSES} broker processes, one Redis, ${USERS} users with ${TABS} tabs, life ${LIFETIME_S} s, ${ROTATIONS} rotations`,
)
console.table(rows)
if (process.exitCode === 1) console.error('A bound was missed.')
agent.destroy()
