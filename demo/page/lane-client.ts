import type { LaneName, Order, Report } from '../control.js'
import { plainFetch } from './observe.js'

/** @throws {Error} with what the demo's server says */
export async function sendOrder(lane: LaneName, order: Order): Promise<Report> {
  const response = await plainFetch(`/control/${lane}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}

export async function fetchReport(lane: LaneName): Promise<Report> {
  const response = await plainFetch(`/control/${lane}`)
  return response.json()
}
