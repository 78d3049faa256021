import type { Context } from 'hono'
import type { User } from './content.js'
import { page } from './shapes.js'

export interface UserEnv {
  Variables: { user: User }
}

export const notFound = (c: Context) => c.json({ status: 404, title: 'Not Found' }, 404)

/** Answers with a page of these, or with their number alone. */
export const list = (c: Context, items: readonly object[]) =>
  c.json(c.req.query('count_only') ? { count: items.length } : page(items, Number(c.req.query('skip') ?? 0)))

/** Those whose name has what is searched for. There are no agents, which UIKit 25 and 27 call bots. */
export function matching<T extends { name: string }>(c: Context, items: readonly T[]): T[] {
  const { q = '', agent, bot } = c.req.query()
  if (agent === 'true' || bot === 'true') return []
  return items.filter(({ name }) => name.toLowerCase().includes(q.toLowerCase()))
}
