import { useWeavy, WyMessenger } from '@weavy/uikit-react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, expect, test, vi } from 'vitest'
import type { TokenSource } from 'weavy-token'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { hearSwitch, visibleText } from './instances.js'
import { every, refusedForToken, sleep, startWorld } from './world.js'

const LIFETIME_S = 10
/** For the page that is left: nobody asks while its token runs out. */
const SHORT_LIFETIME_S = 3
/**
 * Early, for requests that a busy machine holds back, also when jitter halves it. Not before the second half of a life, of
 * which a page hears the whole seconds: before it the broker does not replace again.
 */
const REFRESH_AHEAD_MS = 3500
const EXPIRIES = 2

type Weavy = NonNullable<ReturnType<typeof useWeavy>>

const undo: (() => void)[] = []
afterEach(() => {
  for (const step of undo.splice(0)) step()
  document.body.replaceChildren()
})

/** A React page with StrictMode on, as an app would write it, that also hands out its parts. */
function openPage(weavyUrl: string, tokenUrl: string, firstUser: string | null = 'alice') {
  const page = {
    weavy: undefined as Weavy | undefined,
    source: undefined as TokenSource | undefined,
    /** What was rendered for whom. */
    shown: [] as { user: string | null; status: string; token: string | undefined }[],
    signIn: (user: string | null) => root.render(<App user={user} />),
    leave: () => root.render(null),
  }
  const Chat = ({ user }: { user: string | null }) => {
    const weavy = useWeavy({ url: weavyUrl })
    useWeavyConnection(weavy)
    const { status, token, source } = useWeavyToken()
    page.shown.push({ user, status, token })
    page.weavy = weavy
    page.source = source
    return (
      <>
        <output>{status}</output>
        {status === 'signed-out' ? null : <WyMessenger />}
      </>
    )
  }
  const App = ({ user }: { user: string | null }) => (
    <StrictMode>
      <WeavyTokenProvider
        tokenUrl={new URL(tokenUrl)}
        user={user}
        requestInit={{}}
        refreshAheadMs={REFRESH_AHEAD_MS}
      >
        <Chat user={user} />
      </WeavyTokenProvider>
    </StrictMode>
  )
  const root = createRoot(document.body.appendChild(document.createElement('main')))
  undo.push(() => {
    root.unmount()
    page.weavy?.destroy()
  })
  page.signIn(firstUser)
  return page
}

const instanceOf = (page: ReturnType<typeof openPage>) =>
  vi.waitFor(() => {
    expect(page.weavy).toBeDefined()
    return page.weavy as Weavy
  }, 30_000)

test('a page sends no refused request over two expiries, with one broker request per token', async () => {
  await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
  const page = openPage(world.weavyUrl, world.tokenUrl)
  const weavy = await instanceOf(page)
  await vi.waitFor(async () => expect((await world.look()).hubUsers).toEqual(['alice']), 30_000)
  await every(100, (EXPIRIES + 0.5) * LIFETIME_S * 1000, async (n) => {
    if (n % 10 === 0) page.signIn('alice')
    expect((await weavy.fetch(`/api/user?n=${n}`)).status).toBe(200)
  })

  // The last token may still be on its way to the screen.
  const shown = await vi.waitFor(async () => {
    const tokens = new Set(page.shown.flatMap(({ token }) => token ?? []))
    expect((await world.look()).broker).toHaveLength(tokens.size)
    return tokens.size
  }, 30_000)
  expect(shown).toBeGreaterThan(EXPIRIES)
  const report = await world.look()
  expect(refusedForToken(report)).toEqual([])
  expect(report.hubUsers).toEqual(['alice'])
})

test('another user sees and sends nothing of the one before, and null stops all requests', async () => {
  await using world = await startWorld({ lifetimeSeconds: 600 })
  const page = openPage(world.weavyUrl, world.tokenUrl)
  const weavy = await instanceOf(page)
  await vi.waitFor(async () => expect((await world.look()).hubUsers).toEqual(['alice']), 30_000)
  const old = page.shown.at(-1)?.token
  expect(old).toMatch(/^wyu_/)

  const { weavy: sentBefore } = await world.signIn('bob')
  using _ = hearSwitch()
  page.signIn('bob')
  await vi.waitFor(async () => expect((await world.look()).hubUsers).toEqual(['bob']), 30_000)
  expect((await weavy.fetch('/api/user?as=bob')).status).toBe(200)
  const sentAsBob = (await world.look()).weavy.slice(sentBefore.length).filter(({ uid }) => uid !== undefined)
  expect(new Set(sentAsBob.map(({ uid }) => uid))).toEqual(new Set(['bob']))
  expect(page.shown.filter(({ user, token }) => user === 'bob' && token === old)).toEqual([])
  expect((await world.look()).broker).toHaveLength(2)

  page.signIn(null)
  await vi.waitFor(() => expect(page.shown.at(-1)?.status).toBe('signed-out'), 30_000)
  const { weavy: sentByBob } = await world.look()
  await expect(weavy.fetch('/api/user?as=nobody')).rejects.toMatchObject({ code: 'signed_out' })
  await sleep(2500)
  const sentByNobody = (await world.look()).weavy.slice(sentByBob.length)
  expect(sentByNobody.filter(({ kind }) => kind !== 'version')).toEqual([])
})

test('a dead token in the broker’s store: the messenger, which asks before it is connected, shows its conversations', async () => {
  await using world = await startWorld({ lifetimeSeconds: 600 })
  await fetch(world.sampleUrl)
  await world.revokeAll()
  openPage(world.weavyUrl, world.sampleUrl)
  // 0.1 never showed them; `npm run bench:uikit` measures how long it takes.
  await vi.waitFor(() => expect(visibleText()).toContain('Welcome, Alice'), { timeout: 10_000, interval: 20 })
  // One more for a request from before the connection that is refused late: it does not say which token it was sent with.
  expect((await world.look()).sample.filter(({ refresh }) => refresh).length).toBeLessThanOrEqual(2)
})

test('a page that is left gives the instance back and closes its source', async () => {
  await using world = await startWorld({ lifetimeSeconds: SHORT_LIFETIME_S })
  const page = openPage(world.weavyUrl, world.tokenUrl)
  const weavy = await instanceOf(page)
  expect((await weavy.fetch('/api/user')).status).toBe(200)
  page.leave()
  await vi.waitFor(() => expect(weavy.tokenFactory).toBeUndefined(), 30_000)
  await expect(page.source?.getToken()).rejects.toMatchObject({ code: 'closed' })
  await sleep(500)
  const before = await world.look()
  // Its messenger asked for a token before it was connected.
  await expect(weavy.fetch('/api/user')).rejects.toThrow('Could not get a valid token')
  await sleep(SHORT_LIFETIME_S * 1000)
  const after = await world.look()
  expect(after.broker).toHaveLength(before.broker.length)
  expect(after.weavy.slice(before.weavy.length).filter(({ kind }) => kind !== 'version')).toEqual([])
})
