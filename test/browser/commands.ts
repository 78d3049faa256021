import { fork } from 'node:child_process'
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

export const commands = { endRow, lookAtRow, startRow, startWorld, orderWorld }
