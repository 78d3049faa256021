import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserCommand } from 'vitest/node'
import type { BrokerRequest, Fault } from '../../demo/stand-in/broker.js'
import type { RequestRecord } from '../../demo/stand-in/requests.js'
import { createWorld, type World, type WorldOptions } from '../../demo/stand-in/world.js'

/** What a test in the browser may do to its world, which lives in the process of the test runner. */
export type WorldOrder =
  | { do: 'fault'; fault: Fault | null }
  | { do: 'lifetime'; seconds: number | null }
  | { do: 'revoke' }
  | { do: 'forbid'; path: string; forbidden: boolean }
  | { do: 'drop-hubs' }
  | { do: 'sign-in'; user: string | null }
  | { do: 'look' }
  | { do: 'close' }

export interface WorldReport {
  weavy: readonly RequestRecord[]
  broker: readonly BrokerRequest[]
  hubUsers: string[]
}

const worlds = new Map<number, World>()
let lastId = 0

const startWorld: BrowserCommand<[options: WorldOptions]> = async (_context, options) => {
  const world = await createWorld(options)
  lastId += 1
  worlds.set(lastId, world)
  return { id: lastId, weavyUrl: world.weavy.url, tokenUrl: world.tokenUrl }
}

const orderWorld: BrowserCommand<[id: number, order: WorldOrder]> = async (_context, id, order) => {
  const world = worlds.get(id)
  if (!world) throw new Error(`no world ${id}`)
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
    case 'drop-hubs':
      world.weavy.dropHubs()
      break
    case 'sign-in':
      world.user = order.user
      break
    case 'look':
      break
    case 'close':
      worlds.delete(id)
      await world.close()
  }
  return { weavy: world.weavy.requests, broker: world.broker.requests, hubUsers: world.weavy.hubUids() }
}

/** Stops every renderer that this test run started, as a laptop that sleeps does, and lets them go on `ms` later. */
const sleepRenderers: BrowserCommand<[ms: number]> = async (_context, ms) => {
  const processes = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s(.*)$/.exec(line)?.slice(1) ?? [])
  const ours = new Set([String(process.pid)])
  // A parent may be listed behind its child.
  for (let round = 0; round < 5; round++)
    for (const [pid, parent] of processes) if (pid && parent && ours.has(parent)) ours.add(pid)
  const renderers = processes
    .filter(([pid, , args]) => pid && ours.has(pid) && /--type=renderer|-contentproc/.test(args ?? ''))
    .map(([pid]) => Number(pid))
  for (const pid of renderers) process.kill(pid, 'SIGSTOP')
  try {
    await sleep(ms)
  } finally {
    for (const pid of renderers) process.kill(pid, 'SIGCONT')
  }
  return renderers.length
}

export const commands = { startWorld, orderWorld, sleepRenderers }
