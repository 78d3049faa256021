/** What one page did, as it saw it itself: no token is kept in here. Instants are epoch ms. */
export interface History {
  readonly began: number
  /** One for each token that the page came to hold, oldest first. */
  readonly lives: TokenLife[]
  readonly broker: BrokerCall[]
  readonly weavy: WeavyCall[]
  readonly notes: Note[]
  readonly counts: Counts
}

export interface TokenLife {
  /** Which token of this page, from 1. */
  readonly n: number
  readonly from: number
  /** Null when the broker did not say. */
  expiresAt: number | null
  /** When the page began to hold another one, or none. */
  until?: number
  /** When Weavy first refused it. */
  refusedAt?: number
}

/** The HTTP status; `failed` without an answer; `pending` before. */
export type Outcome = number | 'failed' | 'pending'

export interface BrokerCall {
  /** Which call of this page, from 1. */
  readonly n: number
  readonly at: number
  readonly refresh: boolean
  outcome: Outcome
  ms: number
}

export interface WeavyCall {
  readonly at: number
  readonly outcome: Outcome
}

/** Something that happened to the page, with an end if it lasted. */
export interface Note {
  readonly at: number
  until?: number
  readonly text: string
}

export interface Counts {
  tokens: number
  brokerRequests: number
  refreshes: number
  /** Requests to the broker that had another answer than 200, or none. */
  brokerFailures: number
  /** Requests to Weavy for which a token is needed, but the hub's WebSocket. */
  requests: number
  /** Requests to Weavy answered with 401. */
  refused: number
  forbidden: number
  /** Calls of `weavy.fetch` that this page made itself, how many rejected or ended in an error, and the slowest. */
  calls: number
  failedCalls: number
  longestWaitMs: number
}

const KEPT_MS = 15 * 60_000

export function createHistory(): History {
  return {
    began: Date.now(),
    lives: [],
    broker: [],
    weavy: [],
    notes: [],
    counts: {
      tokens: 0,
      brokerRequests: 0,
      refreshes: 0,
      brokerFailures: 0,
      requests: 0,
      refused: 0,
      forbidden: 0,
      calls: 0,
      failedCalls: 0,
      longestWaitMs: 0,
    },
  }
}

/** Drops what no timeline shows any more; the counts stay. */
export function forgetOld({ lives, broker, weavy, notes }: History, now = Date.now()) {
  const isOld = (instant: number | undefined) => instant !== undefined && instant < now - KEPT_MS
  while (lives[0] && isOld(lives[0].until)) lives.shift()
  while (broker[0] && isOld(broker[0].at)) broker.shift()
  while (weavy[0] && isOld(weavy[0].at)) weavy.shift()
  while (notes[0] && isOld(notes[0].until ?? notes[0].at)) notes.shift()
}

/** Begins another life, or none, and ends the one before. */
export function holdToken(
  { lives, counts }: History,
  life: Pick<TokenLife, 'expiresAt'> | null,
  now = Date.now(),
) {
  const last = lives.at(-1)
  if (last && last.until === undefined) last.until = now
  if (!life) return
  counts.tokens += 1
  lives.push({ n: counts.tokens, from: now, expiresAt: life.expiresAt })
}

export function sawWeavy({ lives, weavy, counts }: History, outcome: Outcome, at: number) {
  weavy.push({ at, outcome })
  if (outcome !== 'failed') counts.requests += 1
  if (outcome === 403) counts.forbidden += 1
  if (outcome !== 401) return
  counts.refused += 1
  const life = lives.at(-1)
  if (life && life.until === undefined) life.refusedAt ??= Date.now()
}
