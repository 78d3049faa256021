// Three broker processes on one real Redis, and users with four tabs each: how many calls to Weavy a user and rotation
// cost, also while Redis is gone for ten seconds, and what a request costs. Exits with 1 when a bound is missed.
//
//   npm run bench:fleet                 all runs, 15 minutes
//   RUN=killed npm run bench:fleet      those whose name has this in it
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { freshForMs } from '../../src/schedule.js'
import { type RedisServer, startRedis } from '../broker/redis-server.js'

const PROCESSES = 3
const USERS = Number(process.env.USERS ?? 300)
const TABS = 4
const LIFETIME_S = Number(process.env.LIFETIME ?? 60)
const ROTATIONS = 2
const RESTORED_WITHIN_MS = 300
/** Within what the other users open their tabs. */
const OPENED_WITHIN_MS = 5_000
const REDIS_GONE_MS = 10_000
const LOAD = 3_000
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
    const waitMs = freshForMs(body.expires_in * 1_000, undefined, ms, random())
    if (rotations === ROTATIONS) return
    rotations += 1
    await sleep(waitMs)
  }
}

/** Other users, as fast as it goes: what a request ahead of expiry costs all processes, in microseconds. */
async function rotate(ports: number[], children: ChildProcess[]): Promise<number> {
  const portOf = () => ports[Math.floor(random() * ports.length)] as number
  /** All tabs of 32 users at a time. */
  async function rotateAll(name: string) {
    const users = Array.from({ length: LOAD / TABS }, (_, user) => `${name}-${user}`)
    const held = new Map<string, string>()
    const each = async (work: (uid: string) => Promise<unknown>) => {
      const queue = [...users]
      const lane = async () => {
        for (let uid = queue.pop(); uid; uid = queue.pop()) await work(uid)
      }
      await Promise.all(Array.from({ length: 32 }, lane))
    }
    await each(async (uid) => held.set(uid, (await get(portOf(), '/api/token', uid)).body.access_token))
    const before = await cpuOf(children)
    await each(async (uid) => {
      const path = `/api/token?refresh=true&held=${digestOf(held.get(uid) ?? '')}`
      const answers = await Promise.all(Array.from({ length: TABS }, () => get(portOf(), path, uid)))
      const tokens = new Set(answers.map(({ body }) => body.access_token))
      if (tokens.has(held.get(uid) ?? '') || answers.some(({ status }) => status !== 200)) {
        throw new Error('A rotation failed')
      }
    })
    return ((await cpuOf(children)) - before) / (users.length * TABS)
  }
  await rotateAll('warm')
  return rotateAll('hot')
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
  return Array.from({ length: PROCESSES }, () => fork(outfile, { env, execArgv: [] }))
}

/** What all processes have used so far, in microseconds. */
async function cpuOf(children: ChildProcess[]): Promise<number> {
  const used = children.map(async (child) => {
    const answer = once(child, 'message')
    child.send('cpu')
    return ((await answer)[0] as { cpu: number }).cpu
  })
  return (await Promise.all(used)).reduce((sum, cpu) => sum + cpu, 0)
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
  /** All users come within seconds, and Redis goes when all of them rotate. Else they come when they come. */
  together?: boolean
}

async function measure({ name, lease, bound, trouble, together = false }: Run) {
  const redis = await startRedis()
  const weavy = await startWeavy()
  const children = await startFleet(redis.url, weavy.url, lease)
  try {
    const ports = await Promise.all(
      children.map(async (child) => (await once(child, 'message'))[0] as number),
    )
    await sleep(500)
    /** Sends requests one after the other. The first ones warm up. */
    async function load(path: string) {
      const send = async (count: number) => {
        const taken: Sample[] = []
        for (let i = 0; i < count; i += 1) taken.push(await get(ports[i % PROCESSES] as number, path, 'u-0'))
        return taken
      }
      await send(LOAD)
      const before = await cpuOf(children)
      const taken = await send(LOAD)
      return { taken, cpuMicros: ((await cpuOf(children)) - before) / LOAD }
    }
    const samples: Sample[] = []
    const tabs: Promise<void>[] = []
    for (let user = 0; user < USERS; user += 1) {
      // Half of them restore all their tabs at once; the others open theirs over some seconds.
      const isRestored = user % 2 === 0
      const begins = together ? 0 : random() * LIFETIME_S * 1_000
      for (let index = 0; index < TABS; index += 1) {
        const spreadMs = random() * (isRestored ? RESTORED_WITHIN_MS : OPENED_WITHIN_MS)
        tabs.push(tab(ports, `u-${user}`, begins + spreadMs, samples))
      }
    }
    // When everybody is there and rotates; or just when all of them do.
    const troubled = sleep(LIFETIME_S * (together ? 880 : 1_200)).then(() => trouble?.(redis))
    await Promise.all([...tabs, troubled])
    // One call per user brings the first token; whatever comes on top is a rotation's.
    const perRotation = (weavy.calls() - USERS) / USERS / ROTATIONS
    const failed = samples.filter(({ status }) => status !== 200).length
    const rotationMicros = await rotate(ports, children)
    const bare = await load('/bare')
    const stored = await load('/api/token')
    return {
      isGood: failed === 0 && (bound === undefined || perRotation <= bound),
      row: {
        run: name,
        requests: samples.length,
        failed,
        calls: perRotation.toFixed(2),
        bound: bound === undefined ? '' : `<= ${bound}`,
        'p50 ms': percentile(samples, 0.5),
        'p99 ms': percentile(samples, 0.99),
        'stored p50': percentile(stored.taken, 0.5),
        'stored p99': percentile(stored.taken, 0.99),
        'bare p50': percentile(bare.taken, 0.5),
        'bare p99': percentile(bare.taken, 0.99),
        'rotation CPU µs': Math.round(rotationMicros),
        'stored CPU µs': Math.round(stored.cpuMicros),
        'bare CPU µs': Math.round(bare.cpuMicros),
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
  { name: 'killed as all rotate', lease: true, bound: undefined, trouble: killed, together: true },
]
const only = process.env.RUN
const rows: object[] = []
for (const run of runs.filter(({ name }) => !only || name.includes(only))) {
  const { row, isGood } = await measure(run)
  rows.push(row)
  if (!isGood) process.exitCode = 1
}
console.log(
  `\n${PROCESSES} broker processes, one Redis, ${USERS} users with ${TABS} tabs, life ${LIFETIME_S} s, ${ROTATIONS} rotations
calls: to Weavy, per user and rotation · stored, bare: one request after the other · rotation: under load · CPU µs: of all processes, per request`,
)
console.table(rows)
if (process.exitCode === 1) console.error('A bound was missed.')
agent.destroy()
