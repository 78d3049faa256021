import { afterEach, beforeEach, vi } from 'vitest'
import { listen } from '../../demo/stand-in/listen.js'
import { createStandInWeavy, type StandInWeavy } from '../../demo/stand-in/weavy.js'
import { createTokenBroker } from '../../src/broker/index.js'
import { type CheckOptions, checkBroker } from '../../src/check/check-broker.js'
import { run } from '../../src/check/command.js'
import type { Finding } from '../../src/check/finding.js'
import { type Row, rows } from '../broker-rows.js'
import { issueToken } from '../stand-in/requests.js'

export const APP = 'https://app.example'
export const SESSION = 'sid=5ecret'

const closing: (() => Promise<unknown>)[] = []
export let weavy: StandInWeavy

/** Each test of the file gets an environment of its own, and clocks that stand still until the command waits. */
export function startWorld(): void {
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    weavy = await createStandInWeavy()
    closing.push(() => weavy.close())
  })
  afterEach(async () => {
    vi.useRealTimers()
    for (const close of closing.splice(0).reverse()) await close()
  })
}

export const serve = async (fetch: (request: Request) => Promise<Response>): Promise<string> => {
  const server = await listen(fetch)
  closing.push(() => server.close())
  return `${server.url}/api/token?tenant=7`
}

export const userOf = (request: Request) => (request.headers.get('cookie') === SESSION ? 'acmeuser-1' : null)

/** A broker of somebody. */
export const like = (row: Row) => serve(rows[row]({ issue: (uid) => issueToken(weavy, uid), user: userOf }))

export const ourBroker = () =>
  createTokenBroker({
    weavyUrl: weavy.url,
    apiKey: weavy.apiKey,
    allowedOrigins: [APP],
    user: (request) => {
      const uid = userOf(request)
      return uid ? { uid } : null
    },
    log: () => {},
  })

const wait = async (ms: number) => {
  vi.advanceTimersByTime(ms)
}

export const check = (tokenUrl: string, options: Partial<CheckOptions> = {}) =>
  checkBroker({
    tokenUrl: new URL(tokenUrl),
    headers: new Headers({ cookie: SESSION }),
    origin: APP,
    weavyUrl: new URL(weavy.url),
    wait,
    ...options,
  })

/** Runs the command. */
export const command = async (args: readonly string[], hasColours = false) => {
  let out = ''
  let error = ''
  const status = await run(args, {
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
    hasColours,
    wait,
  })
  return { status, out, error }
}

/** What the command prints, with numbers in place of digests, and without ports. */
export const report = async (url: string, ...options: string[]): Promise<string> => {
  const { out } = await command(['check', url, ...options])
  const digests: string[] = []
  return out
    .replaceAll(/\(#([\w-]{8})\)/g, (_, digest) => {
      if (!digests.includes(digest)) digests.push(digest)
      return `(#${digests.indexOf(digest) + 1})`
    })
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1')
}

export const brief = (found: readonly Finding[], ...results: Finding['result'][]) =>
  found.filter(({ result }) => results.includes(result)).map(({ promise, result }) => `${result}: ${promise}`)

export const faults = (found: readonly Finding[]) => brief(found, 'fail', 'warn')

export const named = (found: readonly Finding[], promise: string) => {
  const finding = found.find((one) => one.promise === promise)
  if (!finding) throw new Error(`nothing was found out about: ${promise}`)
  return finding
}
