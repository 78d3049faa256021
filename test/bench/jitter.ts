/** How a fleet of pages spreads that started in the same minute, or second: the most broker requests in any second. */
import { freshForMs } from '../../src/schedule.js'

const PAGES = 10_000
const LIFETIMES = 5
const LIFETIME_MS = 3_600_000

function peaks(startedWithinMs: number, jitter: (lifetimeMs: number) => number): number[] {
  const pages = Float64Array.from({ length: PAGES }, () => Math.random() * startedWithinMs)
  return Array.from({ length: LIFETIMES }, () => {
    const perSecond = new Map<number, number>()
    for (const [i, at] of pages.entries()) {
      const next = at + jitter(LIFETIME_MS)
      pages[i] = next
      const second = Math.floor(next / 1000)
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    }
    return Math.max(...perSecond.values())
  })
}

console.log(`| most requests in a second, ${PAGES} pages, tokens of an hour, lifetime | 1 | 2 | 3 | 4 | 5 |`)
console.log('|---|---:|---:|---:|---:|---:|')
for (const [within, ms] of [
  ['minute', 60_000],
  ['second', 1000],
] as const)
  for (const [title, jitter] of [
    ['without jitter', (lifetimeMs: number) => freshForMs(lifetimeMs, undefined, 0, 0)],
    ['with jitter', (lifetimeMs: number) => freshForMs(lifetimeMs, undefined, 0, Math.random())],
  ] as const)
    console.log(`| started in the same ${within}, ${title} | ${peaks(ms, jitter).join(' | ')} |`)
