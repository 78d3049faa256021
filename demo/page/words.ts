import type { TokenState } from 'weavy-token'
import type { History } from './history.js'

const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

const plural = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`

/** A timeline in one sentence. */
export function summarize(name: string, { counts, lives }: History, now: number): string {
  const life = lives.at(-1)
  const holds = life && life.until === undefined
  const left = holds && life.expiresAt !== null ? `, ${seconds(life.expiresAt - now)} left` : ''
  const held = holds ? `It holds token ${life.n}${left}.` : 'It holds no token.'
  return `${name}: ${plural(counts.tokens, 'token')}, ${plural(counts.brokerRequests, 'broker request')}, ${plural(
    counts.refused,
    'request',
  )} refused by Weavy. ${held}`
}

export function seconds(ms: number): string {
  if (ms <= 0) return 'expired'
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.floor(ms / 1000)
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** The latest events, newest first, for those who cannot see the drawing. */
export function retell(
  { lives, broker, notes }: History,
  limit = 12,
): { at: string; text: string; key: string }[] {
  const events = [
    ...lives.map(({ from, n, expiresAt }) => ({
      at: from,
      text: `holds token ${n}${expiresAt === null ? '' : `, good for ${seconds(expiresAt - from)}`}`,
    })),
    ...lives.flatMap(({ refusedAt, n }) =>
      refusedAt === undefined ? [] : { at: refusedAt, text: `Weavy refuses token ${n}` },
    ),
    ...broker.map(({ at, refresh, outcome, ms }) => ({
      at,
      text: `broker asked ${refresh ? 'for a newer token' : 'for a token'}: ${outcome}${outcome === 'pending' ? '' : ` after ${ms} ms`}`,
    })),
    ...notes.map(({ at, text }) => ({ at, text })),
  ]
  return events
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ at, text }, n) => ({ at: clock.format(at), text, key: `${at} ${n}` }))
}

/** What a state means for the app. */
export function explain(state: TokenState): string {
  switch (state.status) {
    case 'empty':
      return 'Nothing was asked yet.'
    case 'fetching':
      return 'There is no usable token; one is on its way.'
    case 'ready':
      return 'Every request finds a valid token at once.'
    case 'stale':
      return `The refresh fails, the token is still good: requests go on. ${state.error.message}`
    case 'failed':
    case 'signed-out':
      return state.error.message
  }
}
