/**
 * What one promise of the wire contract turned out to be. `fail`: pages break, or something is not safe. `warn`: it works, as
 * it does with the UIKit's own `tokenUrl`, and could be better. `skip`: it could not be tried.
 */
export interface Finding {
  readonly promise: string
  readonly result: 'ok' | 'warn' | 'fail' | 'skip'
  /** What was asked. */
  readonly asked: string
  /** What came. No token, no header value, no query of the broker's address. */
  readonly came: string
  /** Why it matters. */
  readonly why?: string
  /** What to change. */
  readonly change?: string
}

/** What to say about a promise that is not kept. */
export interface Advice {
  readonly why: string
  readonly change: string
}

export interface Promised extends Advice {
  readonly promise: string
}

/** Findings about one promise, in its own words. */
export const about = ({ promise, why, change }: Promised) => ({
  ok: (asked: string, came: string): Finding => ({ promise, result: 'ok', asked, came }),
  warn: (asked: string, came: string, advice?: Partial<Advice>): Finding => ({
    promise,
    result: 'warn',
    asked,
    came,
    why,
    change,
    ...advice,
  }),
  fail: (asked: string, came: string, advice?: Partial<Advice>): Finding => ({
    promise,
    result: 'fail',
    asked,
    came,
    why,
    change,
    ...advice,
  }),
  skip: (came: string): Finding => ({ promise, result: 'skip', asked: 'nothing', came }),
})
