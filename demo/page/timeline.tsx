import { useEffect, useRef, useState } from 'react'
import type { BrokerCall, History, TokenLife, WeavyCall } from './history.js'
import { summarize } from './words.js'

const GUTTER = 54
const NOTES_Y = 12
const TOKEN_Y = 20
const TOKEN_H = 26
const BROKER_Y = 66
const WEAVY_Y = 124
const WEAVY_H = 34
const AXIS_Y = 142
const HEIGHT = 148
/** How much of the window lies behind. */
const PAST = 0.75
const BIN_MS = 1000

interface TimelineProps {
  name: string
  history: History
  now: number
  windowMs: number
  /** Whether tokens are refreshed ahead of their expiry here, so that there is a window to show. */
  ahead: boolean
}

/** What a page did over time, one row each for its tokens, its broker and Weavy. */
export function Timeline({ name, history, now, windowMs, ahead }: TimelineProps) {
  const [svg, width] = useWidth()
  const from = now - windowMs * PAST
  const to = from + windowMs
  const x = (at: number) => GUTTER + ((Math.min(Math.max(at, from), to) - from) / windowMs) * (width - GUTTER)
  const isShown = (start: number, end: number) => end >= from && start <= to
  const scene = { x, now, from, to }
  const stepMs = windowMs > 120_000 ? 60_000 : windowMs > 60_000 ? 30_000 : 10_000
  const steps = Array.from({ length: Math.floor(windowMs / stepMs) + 2 }, (_, n) => (n - 1) * stepMs)
    .map((ahead) => ahead - Math.floor((windowMs * PAST) / stepMs) * stepMs)
    .filter((offset) => isShown(now + offset, now + offset))

  return (
    <svg ref={svg} className="timeline" height={HEIGHT} role="img" aria-label={summarize(name, history, now)}>
      {steps.map((offset) => (
        <g key={offset} className={offset === 0 ? 'axis present' : 'axis'}>
          <line x1={x(now + offset)} x2={x(now + offset)} y1={TOKEN_Y - 4} y2={AXIS_Y - 8} />
          <text x={x(now + offset)} y={HEIGHT - 1}>
            {offset === 0 ? 'now' : `${offset > 0 ? '+' : '−'}${words(Math.abs(offset))}`}
          </text>
        </g>
      ))}
      <g className="row-names">
        <text y={TOKEN_Y + 17}>Token</text>
        <text y={BROKER_Y + 4}>Broker</text>
        <text y={WEAVY_Y - 10}>Weavy</text>
      </g>
      {history.lives
        .filter((life) => isShown(life.from, life.until ?? Math.max(now, life.expiresAt ?? now)))
        .map((life) => (
          <Life key={life.n} life={life} {...scene} ahead={ahead} />
        ))}
      {history.notes
        .filter(({ at, until }) => isShown(at, until ?? now))
        .map(({ at, until, text }) => {
          const lasting = text === 'offline' || text === 'asleep'
          return (
            <g key={`${at}${text}`} className="note">
              {lasting && (
                <rect
                  x={x(at)}
                  width={x(until ?? now) - x(at)}
                  y={TOKEN_Y - 4}
                  height={AXIS_Y - TOKEN_Y - 4}
                />
              )}
              <line x1={x(at)} x2={x(at)} y1={2} y2={AXIS_Y - 8} />
              <text x={x(at) + 4} y={NOTES_Y}>
                {text}
              </text>
            </g>
          )
        })}
      {history.broker
        .filter((call) => isShown(call.at, call.outcome === 'pending' ? now : call.at + call.ms))
        .map((call) => (
          <BrokerMark key={call.n} call={call} {...scene} />
        ))}
      {bins(history.weavy, from).map((bin) => (
        <WeavyBin key={bin.at} bin={bin} {...scene} />
      ))}
    </svg>
  )
}

interface Scene {
  x(at: number): number
  now: number
}

/** The library's default: the last 10 % of a life, at most 60 s. */
const refreshAt = ({ from, expiresAt }: TokenLife) =>
  expiresAt === null ? null : expiresAt - Math.min((expiresAt - from) * 0.1, 60_000)

function Life({ life, x, now, ahead }: Scene & { life: TokenLife; ahead: boolean }) {
  const expiresAt = life.expiresAt ?? Number.POSITIVE_INFINITY
  // The library lets go of a token when it expires, also while the page does not run and nobody is told.
  const until = Math.min(life.until ?? now, ahead ? expiresAt : Number.POSITIVE_INFINITY)
  const deadAt = Math.min(expiresAt, life.refusedAt ?? Number.POSITIVE_INFINITY)
  const windowAt = ahead ? refreshAt(life) : null
  const bar = (className: string, start: number, end: number) =>
    x(end) > x(start) && (
      <rect
        className={className}
        x={x(start)}
        width={x(end) - x(start)}
        y={TOKEN_Y}
        height={TOKEN_H}
        rx={2}
      />
    )
  const alive = Math.min(until, deadAt)
  return (
    <g>
      <title>{`Token ${life.n}`}</title>
      {life.until === undefined && bar('life to-come', now, deadAt)}
      {bar(`life ${life.n % 2 ? 'odd' : 'even'}`, life.from, alive)}
      {windowAt !== null &&
        bar('life window', windowAt, life.until === undefined ? Math.min(expiresAt, deadAt) : alive)}
      {bar('life dead', deadAt, until)}
      {x(alive) - x(life.from) > 26 && (
        <text className="life-name" x={x(life.from) + 5} y={TOKEN_Y + 17}>
          {life.n}
        </text>
      )}
    </g>
  )
}

function BrokerMark({ call, x, now }: Scene & { call: BrokerCall }) {
  const { at, ms, outcome } = call
  const end = x(outcome === 'pending' ? now : at + ms)
  const kind = outcome === 'pending' ? 'pending' : outcome === 200 ? 'ok' : 'bad'
  return (
    <g className={`call ${kind}`}>
      <title>{`${call.refresh ? 'refresh=true' : 'first token'}: ${outcome}, ${ms} ms`}</title>
      <line x1={x(at)} x2={end} y1={BROKER_Y} y2={BROKER_Y} />
      {kind === 'bad' ? (
        <>
          <path d={`M${end - 4} ${BROKER_Y - 4}l8 8m0 -8l-8 8`} />
          <text x={end} y={BROKER_Y + 15}>
            {outcome === 'failed' ? '✕' : outcome}
          </text>
        </>
      ) : (
        <circle cx={end} cy={BROKER_Y} r={4} />
      )}
    </g>
  )
}

interface Bin {
  at: number
  ok: number
  forbidden: number
  refused: number
  failed: number
}

function bins(calls: readonly WeavyCall[], from: number): Bin[] {
  const found = new Map<number, Bin>()
  for (const { at, outcome } of calls) {
    if (at < from) continue
    const start = Math.floor(at / BIN_MS) * BIN_MS
    const bin = found.get(start) ?? { at: start, ok: 0, forbidden: 0, refused: 0, failed: 0 }
    found.set(start, bin)
    if (outcome === 401) bin.refused += 1
    else if (outcome === 403) bin.forbidden += 1
    else if (outcome === 'failed' || outcome === 'pending' || outcome >= 500) bin.failed += 1
    else bin.ok += 1
  }
  return [...found.values()]
}

/** Bursts must not dwarf everything else. */
const tall = (count: number) => Math.min(Math.log2(1 + count) / 6, 1) * WEAVY_H

function WeavyBin({ bin, x }: Scene & { bin: Bin }) {
  const width = Math.max(x(bin.at + BIN_MS) - x(bin.at) - 1, 1)
  const all = bin.ok + bin.forbidden + bin.refused + bin.failed
  let y = WEAVY_Y
  const parts = (['ok', 'forbidden', 'refused', 'failed'] as const).map((kind) => {
    const height = (tall(all) * bin[kind]) / all
    y -= height
    return (
      height > 0 && <rect key={kind} className={kind} x={x(bin.at)} width={width} y={y} height={height} />
    )
  })
  const bad = bin.refused || bin.forbidden || bin.failed
  return (
    <g className="bin">
      <title>{`${bin.ok} fine, ${bin.refused} refused (401), ${bin.forbidden} forbidden (403), ${bin.failed} failed`}</title>
      {parts}
      {bad > 0 && (
        <text
          className={bin.refused ? 'refused' : bin.forbidden ? 'forbidden' : 'failed'}
          x={x(bin.at) + width / 2}
          y={y - 3}
        >
          {bad}
        </text>
      )}
    </g>
  )
}

const words = (ms: number) => (ms >= 60_000 ? `${ms / 60_000} min` : `${ms / 1000} s`)

function useWidth() {
  const ref = useRef<SVGSVGElement>(null)
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const { current } = ref
    if (!current) return
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width))
    observer.observe(current)
    return () => observer.disconnect()
  }, [])
  return [ref, width] as const
}
