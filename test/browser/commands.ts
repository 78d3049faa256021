import { execFileSync, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { BrowserCommand } from 'vitest/node'
import type { WorldOptions } from '../../demo/stand-in/world.js'
import type { Row } from '../broker-rows.js'
import type { RowAddress } from './row-worlds.js'
import type { WorldAddress, WorldOrder, WorldReport } from './worlds.js'

let worldsUrl: Promise<string> | undefined

const startWorlds = () =>
  new Promise<string>((resolve, reject) => {
    const worlds = fork(fileURLToPath(new URL('./worlds.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx'],
    })
    worlds.once('message', resolve).once('error', reject)
    worlds.once('exit', (code) => reject(new Error(`The worlds ended with code ${code}.`)))
    worlds.unref()
    worlds.channel?.unref()
  })

async function post<T>(path: string, body: unknown, method = 'POST'): Promise<T> {
  worldsUrl ??= startWorlds()
  // A kept connection may be closed just as it is used again.
  const headers = { 'Content-Type': 'application/json', Connection: 'close' }
  const response = await fetch((await worldsUrl) + path, {
    method,
    headers,
    ...(method !== 'GET' && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as T
}

const startWorld: BrowserCommand<[options: WorldOptions]> = (_context, options) =>
  post<WorldAddress>('/worlds', options)

const startRow: BrowserCommand<[row: Row, user: string | null]> = (_context, row, user) =>
  post<RowAddress>('/rows', { row, user })

/** The queries that the broker of a row was asked with. */
const lookAtRow: BrowserCommand<[id: number]> = (_context, id) => post<string[]>(`/rows/${id}`, null, 'GET')

const endRow: BrowserCommand<[id: number]> = (_context, id) => post<null>(`/rows/${id}`, null, 'DELETE')

const orderWorld: BrowserCommand<[id: number, order: WorldOrder]> = (_context, id, order) =>
  post<WorldReport>(`/worlds/${id}`, order)

/** Tells the browser of one project from that of another. */
export const PROJECT_FLAG = '--test-project='
/** Vitest adds the engine in brackets. */
const nameOf = ({ name }: { name: string }) => name.split(' ')[0]

const RENDERER = { chromium: /--type=renderer/, firefox: /-contentproc/, webkit: /WebKitWebProcess/ }

/** Stops every renderer of the test's own browser, as a laptop that sleeps does, and lets them go on `ms` later. */
const sleepRenderers: BrowserCommand<[ms: number]> = async ({ project }, ms) => {
  const renderer = RENDERER[project.config.browser.name as keyof typeof RENDERER]
  const processes = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s(.*)$/.exec(line)?.slice(1) ?? [])
  // Several projects may have a Chromium. The browsers that other tests drive are children of their worker.
  const isOwn = (args = '') => !args.includes(PROJECT_FLAG) || args.includes(PROJECT_FLAG + nameOf(project))
  const ours = new Set(
    processes.filter(([, parent, args]) => parent === String(process.pid) && isOwn(args)).map(([pid]) => pid),
  )
  // A parent may be listed behind its child.
  for (let round = 0; round < 5; round++)
    for (const [pid, parent] of processes) if (parent && ours.has(parent)) ours.add(pid)
  const renderers = processes
    .filter(([pid, , args]) => pid && ours.has(pid) && renderer.test(args ?? ''))
    .map(([pid]) => Number(pid))
  for (const pid of renderers) process.kill(pid, 'SIGSTOP')
  try {
    await sleep(ms)
  } finally {
    for (const pid of renderers) process.kill(pid, 'SIGCONT')
  }
  return renderers.length
}

export const commands = { endRow, lookAtRow, startRow, startWorld, orderWorld, sleepRenderers }
