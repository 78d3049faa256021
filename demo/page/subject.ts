import type { TokenSource, TokenState } from 'weavy-token'
import type { LaneName, User } from '../control.js'
import { closeConversation, openConversation } from './conversation.js'
import { createHistory, type History, holdToken } from './history.js'
import { observe, observeSleep, setOffline } from './observe.js'

interface WeavyUnderTest {
  fetch(url: string): Promise<Response>
}

/** A page that is being looked at: what it did, and what can be done to it. */
export interface Subject {
  readonly lane: LaneName
  readonly history: History
  /** What the library says; the UIKit's own `tokenUrl` tells nothing. */
  readonly getState?: () => TokenState
  /** Asks Weavy for something `times` at once, as a user who clicks around would. */
  ask(path: string, times?: number): void
  setOffline(offline: boolean): void
  /** Has the page follow its session to this user. */
  signIn(user: User): void
  note(text: string): void
  /** Has the page get another token now. */
  renew(): void
}

export interface Chat extends Pick<Subject, 'signIn'> {
  readonly weavy: WeavyUnderTest
  renew(): Promise<unknown>
}

/**
 * Has a source fetch a token that lives longer than the rest of the one it has, which goes on being used meanwhile. A
 * source thinks nothing can be better than a token that it has just refreshed, so this may take a few seconds.
 */
export async function renewToken({ getState, getToken }: TokenSource) {
  const before = getState()
  if (!('token' in before) || before.expiresAt === null) return
  for (let attempt = 0; attempt < 15; attempt++) {
    const token = await getToken({ minValidityMs: before.expiresAt - Date.now() + 1 })
    if (token !== before.token) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** Looks at this page from its first request on. */
export function watchPage(lane: LaneName, weavyUrl: string) {
  const history = createHistory()
  const tokenUrl = `/${lane}/token`
  let last: string | undefined

  function hold(token: string | undefined, expiresAt: number | null) {
    const life = history.lives.at(-1)
    // A broker that stores tokens may give one again, and round its remaining life differently.
    if (token === last && life && token !== undefined) life.expiresAt = expiresAt
    if (token === last) return
    last = token
    holdToken(history, token === undefined ? null : { expiresAt })
  }
  /** The UIKit tells nobody which token it has, so the answers of the broker have to do. */
  async function readAnswer(response: Response) {
    const arrived = Date.now()
    const { access_token, expires_in } = await response.json()
    hold(access_token, expires_in > 0 ? arrived + expires_in * 1000 : null)
  }
  observe(history, { weavyUrl, tokenUrl }, lane === 'built-in' ? readAnswer : undefined)
  observeSleep(history)

  function follow(source: TokenSource) {
    const note = (state: TokenState) =>
      'token' in state ? hold(state.token, state.expiresAt) : hold(undefined, null)
    note(source.getState())
    source.subscribe(note)
  }

  let someone = true
  let asked = 0
  async function ask(weavy: WeavyUnderTest, path: string) {
    const { counts } = history
    const began = performance.now()
    counts.calls += 1
    asked += 1
    try {
      // Chromium sends requests for one URL one after the other.
      const { ok, status } = await weavy.fetch(`${path}?n=${asked}`)
      if (someone && !ok && status !== 403) counts.failedCalls += 1
    } catch {
      // Nobody is signed in: that is what an app is to be told.
      if (someone) counts.failedCalls += 1
    }
    counts.longestWaitMs = Math.max(counts.longestWaitMs, performance.now() - began)
  }

  return {
    tokenUrl,
    history,
    /** The page has its chat now. */
    begin({ weavy, signIn, renew }: Chat, source?: TokenSource): Subject {
      if (source) follow(source)
      const open = () => void openConversation(weavy).catch(() => {})
      open()
      return {
        lane,
        history,
        ...(source && { getState: source.getState }),
        ask(path, times = 1) {
          for (let n = 0; n < times; n++) void ask(weavy, path)
        },
        setOffline(offline) {
          setOffline(offline)
          if (offline) history.notes.push({ at: Date.now(), text: 'offline' })
          else for (const note of history.notes) if (note.text === 'offline') note.until ??= Date.now()
        },
        signIn(user) {
          someone = user !== null
          closeConversation()
          signIn(user)
          if (someone) open()
        },
        note(text) {
          history.notes.push({ at: Date.now(), text })
        },
        renew: () => void renew().catch(() => {}),
      }
    },
  }
}
