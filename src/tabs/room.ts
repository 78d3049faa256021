import { type Asked, answerOf } from '../ask.js'
import { readClock } from '../clock.js'
import type { TokenError } from '../errors.js'
import type { FetchToken, TokenRequest } from '../types.js'
import { digestOf, type TokenResponse } from '../wire.js'
import { answerFrom, fits, type Held, heldFrom, isReusable, MAX_OPEN, type Question } from './message.js'
import { inTurn, pause } from './turn.js'

/** How long another tab that has a newer token may take to give it. */
export const GIVE_MS = 150

/** What this needs of a browser. */
export interface Browser {
  readonly BroadcastChannel: new (
    name: string,
  ) => Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'>
  readonly locks: Pick<LockManager, 'request' | 'query'>
  readonly page: Pick<Window, 'addEventListener' | 'removeEventListener'>
}

interface OpenQuestion extends Question {
  settle(answer?: TokenResponse): void
}

/**
 * One session's part among the tabs that share the token of one user.
 *
 * @param key what all in the room agree on; its digest is the name of channel and locks
 */
export function createRoom(key: string, { BroadcastChannel, locks, page }: Browser, fetchToken: FetchToken) {
  let name: string | undefined
  let channel: InstanceType<Browser['BroadcastChannel']> | undefined
  /** The version that the source has. */
  let has = 0
  let held: Held | undefined
  let release = () => {}
  /** Counts what ends the sharing of all that was asked for before. */
  let stops = 0
  /** The page was away: nothing of another tab is taken before the broker has answered. */
  let mustAsk = false
  /** While the page is away: resolves when it comes back. */
  let back: Promise<void> | undefined
  let comeBack = () => {}
  let mine: OpenQuestion | undefined
  /** Questions of others, to be answered with what the broker answers this tab. */
  const theirs = new Set<string>()

  const post = (message: object) => {
    try {
      if (!channel) {
        channel = new BroadcastChannel(`${name}`)
        channel.onmessage = hear
      }
      channel.postMessage(message)
    } catch {
      // Nobody hears it, and nobody answers.
    }
  }

  const give = (ids: string[], token: Held) => post({ ...answerFrom(token), at: token.at, give: ids })

  /** Keeps a token to give. The name of a lock says which version is here, so that nobody waits for what is not. */
  const hold = (next: Held) => {
    release()
    held = next
    const over = new Promise<void>((resolve) => {
      release = resolve
    })
    locks.request(`${name}:${next.at}`, { mode: 'shared' }, () => over).catch(() => {})
  }

  const forget = () => {
    stops += 1
    held = undefined
    theirs.clear()
    release()
  }

  const leave = () => {
    forget()
    mine?.settle()
    channel?.close()
    channel = undefined
  }

  const onPageHide = () => {
    back = new Promise((resolve) => {
      comeBack = resolve
    })
    mustAsk = true
    leave()
  }
  const onPageShow = () => comeBack()
  page.addEventListener('pagehide', onPageHide)
  page.addEventListener('pageshow', onPageShow)

  function hear({ data }: MessageEvent) {
    const { want, after, give: ids, at, stop } = Object(data)
    if (stop) forget()
    if (typeof want === 'string') {
      if (held && held.at > after && isReusable(held)) give([want], held)
      else if (mine && theirs.size < MAX_OPEN) theirs.add(want)
    }
    const given = mine && Array.isArray(ids) && ids.includes(mine.id) && heldFrom(data, at, mine.asked)
    if (mine && given && fits(given, mine)) {
      has = given.at
      hold(given)
      mine.settle(answerFrom(given))
    }
  }

  /** Whether a lock says that a newer version than this is held somewhere. */
  const isElsewhere = async (after: number) => {
    try {
      return (await locks.query()).held?.some((lock) => {
        const [room, version] = `${lock.name}`.split(':')
        return room === name && Number(version) > after
      })
    } catch {
      return false
    }
  }

  /** Asks the broker, and shares what comes, unless the user signed out or the page went away meanwhile. */
  const ask = async (request: Asked, question: OpenQuestion) => {
    const since = stops
    const asked = readClock()
    const answer = (await answerOf(fetchToken, request)) as TokenResponse
    if (request.signal.aborted) return
    has = asked.wall
    const next = heldFrom(answer, asked.wall, asked)
    if (since === stops) {
      mustAsk = false
      if (next && fits(next, question)) {
        hold(next)
        give([...theirs], next)
      }
    }
    question.settle(answer)
  }

  /** Resolves with an answer; without one when the page goes away, or nobody waits any more. */
  const attempt = (request: TokenRequest) =>
    new Promise<TokenResponse | undefined>((resolve, reject) => {
      const { sub, rejected } = request
      const end = new AbortController()
      const { signal } = end
      const settle = (answer?: TokenResponse) => {
        if (mine === question) {
          mine = undefined
          theirs.clear()
        }
        end.abort()
        resolve(answer)
      }
      const question = { id: crypto.randomUUID(), after: has, sub, rejected, asked: readClock(), settle }
      const want = () => post({ want: question.id, after: has })
      const asked: Asked = {
        ...request,
        signal,
        set late(error: TokenError | undefined) {
          ;(request as Asked).late = error
        },
      }
      const run = async () => {
        if (!mustAsk && (await Promise.race([isElsewhere(has), pause(GIVE_MS, signal)])) && !signal.aborted) {
          want()
          await pause(GIVE_MS, signal)
        }
        if (!signal.aborted) await ask(asked, question)
      }
      request.signal.addEventListener('abort', () => settle())
      mine = question
      if (!mustAsk) want()
      inTurn(locks, `${name}`, signal, run).catch((error) => {
        reject(error)
        settle()
      })
    })

  return {
    async obtain(request: TokenRequest): Promise<TokenResponse> {
      const { signal } = request
      name ??= await digestOf(key)
      for (;;) {
        await back
        if (signal.aborted) throw signal.reason
        const answer = await attempt(request)
        if (answer) return answer
      }
    },
    /** The session has ended. With `tell`, the others give nothing more of what was asked for so far. */
    async end(tell: boolean) {
      page.removeEventListener('pagehide', onPageHide)
      page.removeEventListener('pageshow', onPageShow)
      leave()
      if (!tell) return
      name ??= await digestOf(key)
      post({ stop: true })
      leave()
    },
  }
}

export type Room = ReturnType<typeof createRoom>
