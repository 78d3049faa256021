import { answerOf } from '../ask.js'
import { readClock } from '../clock.js'
import type { Session } from '../internals.js'
import type { Token } from '../token.js'
import type { FetchToken, TokenRequest } from '../types.js'
import type { TokenResponse } from '../wire.js'
import { isReusable, messageOf, tokenFor } from './message.js'

/** How long a tab that has a newer token may take to give it. */
export const GIVE_MS = 150
/** How long the tab that asks is waited for; whoever asks in its place twice as long, and so on. */
export const FIRST_WAIT_MS = 880

/** What this needs of a browser. */
export interface Browser {
  readonly BroadcastChannel: new (
    name: string,
  ) => Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'>
  readonly navigator: { readonly locks: Pick<LockManager, 'request' | 'query'> }
  addEventListener(type: 'pagehide', listener: () => void, options: { signal: AbortSignal }): void
}

/**
 * One session's part among the tabs that share the token of one user.
 *
 * @param name that of channel and locks, for all in the room
 */
export function createRoom(name: string, session: Session, browser: Browser, fetchToken: FetchToken) {
  const { locks } = browser.navigator
  let channel: InstanceType<Browser['BroadcastChannel']> | undefined
  /** The version that the source has: when the broker was asked for it. No version is newer than Infinity. */
  let has = 0
  /** That version, if it may be given to others. */
  let held: Token | false | undefined
  let release = () => {}
  /** The lock that the next attempt queues for first: those before it were waited for in vain since the last token. */
  let first = 0
  /** Counts what ends the sharing of all that was asked for before. */
  let stops = 0
  /** Takes what another tab gives. */
  let take = (_: unknown) => {}

  const post = (message: object) => {
    try {
      if (!channel) {
        channel = new browser.BroadcastChannel(name)
        channel.onmessage = hear
      }
      channel.postMessage(message)
    } catch {
      // Nobody hears it, and nobody answers.
    }
  }

  function hear({ data }: MessageEvent) {
    const { after, stop } = Object(data)
    if (stop) forget()
    // It may have been refused since, or its user known.
    if (held && has > after && isReusable(held) && session.accepts(held)) post(messageOf(held, has))
    take(data)
  }

  /** The name of a lock says which version can be had here, so that nobody waits for what cannot. */
  const hold = (at: number, token?: Token | false) => {
    release()
    has = at
    held = token
    first = 0
    const over = new Promise<void>((resolve) => {
      release = resolve
    })
    if (token) locks.request(`${name}:${at}`, { mode: 'shared' }, () => over).catch(() => {})
  }

  const forget = () => {
    stops += 1
    hold(has)
  }

  const leave = () => {
    forget()
    channel?.close()
    channel = undefined
  }

  // What is open would cost the page its place in the back/forward cache. From there it comes back to ask the broker.
  const onPageHide = () => {
    leave()
    has = Infinity
  }
  browser.addEventListener('pagehide', onPageHide, { signal: session.signal })

  return {
    obtain: (request: TokenRequest) =>
      new Promise<TokenResponse>((resolve, reject) => {
        const { signal } = request
        // Handed on when its session was over: nobody would close what is opened now.
        if (session.over) throw session.over
        const asked = readClock()
        const had = has
        let turn: Promise<void> | undefined

        /** Resolves after that time, or never without one, and as soon as nobody waits any more. */
        const pause = (ms?: number) =>
          new Promise<void>((end) => {
            const timer = ms && setTimeout(end, ms)
            signal.addEventListener('abort', () => {
              clearTimeout(timer)
              end()
            })
          })

        take = (data) => {
          const { at, sent, refreshed } = Object(data)
          // Its life counts from the asking. What was sent before that has waited somewhere.
          const token =
            at > has &&
            sent >= asked.wall &&
            !signal.aborted &&
            tokenFor(session, request, data, asked, refreshed)
          if (!token) return
          hold(at, token)
          resolve(data as TokenResponse)
        }

        const ask = async () => {
          if (signal.aborted) return
          const since = stops
          const sent = readClock()
          try {
            const answer = (await answerOf(fetchToken, request)) as TokenResponse
            if (signal.aborted) return
            const token = since === stops && tokenFor(session, request, answer, sent, !!request.rejected)
            hold(sent.wall, token)
            if (token) post(messageOf(token, has))
            resolve(answer)
          } catch (error) {
            reject(error)
          }
        }

        const takeTurn = async () => {
          // All of it is in each answer: https://w3c.github.io/web-locks/#snapshot-the-lock-state
          const { held } = (await locks.query()) as { held: Required<LockInfo>[] }
          const isElsewhere = held.some((lock) => Number(lock.name.split(`${name}:`)[1]) > has)
          if (isElsewhere) await pause(GIVE_MS)
          await ask()
        }

        /**
         * Asks when no other tab does. One that does may be frozen, or its request may hang: who has waited for it queues
         * for the next lock, too, so that one further tab asks, and not all that wait. No lock is stolen. An attempt that
         * ends while it waits counts as well, or a short time-out would never get behind the first lock.
         */
        const queue = (ms: number) => {
          if (signal.aborted) return
          const inTurn = () => {
            turn ??= takeTurn()
            return Promise.race([turn, pause()])
          }
          // Refused by the browser.
          locks.request(`${name}:ask:${first}`, { signal }, inTurn).catch(ask)
          void pause(ms).then(() => {
            if (turn || has !== had) return
            first += 1
            queue(ms * 2)
          })
        }

        post({ after: has })
        queue(FIRST_WAIT_MS)
      }),

    /** The session has ended. With `tell`, the others give nothing more of what was asked for so far. */
    end(tell: boolean) {
      if (tell) post({ stop: true })
      leave()
    },
  }
}

export type Room = ReturnType<typeof createRoom>
