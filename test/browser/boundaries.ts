import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  get,
  hearSwitch,
  instancesOf,
  messenger,
  quiet,
  reasonOf,
  upload,
  userPath,
  visibleText,
  type WeavyConstructor,
  type WeavyInstance,
  type World,
} from './instances.js'
import { openPage } from './page.js'
import { refusedForToken, sleep, startWorld } from './world.js'

const ALICES = 'Welcome, Alice'

const appearsWithin = (ms: number, text: string, root?: Node) =>
  vi.waitFor(() => expect(visibleText(root)).toContain(text), { timeout: ms, interval: 20 })

/** All that an instance holds, and the tab keeps. */
const contentOf = ({ queryClient }: WeavyInstance) =>
  JSON.stringify([
    queryClient
      .getQueryCache()
      .getAll()
      .map(({ state }) => state.data),
    queryClient
      .getMutationCache()
      .getAll()
      .map(({ state }) => state),
    { ...sessionStorage },
  ])

/** Elements inside of components, too. */
const elementsIn = (root: ParentNode): Element[] =>
  [...root.querySelectorAll('*')].flatMap((one) => [
    one,
    ...(one.shadowRoot ? elementsIn(one.shadowRoot) : []),
  ])

const elementNamed = (name: RegExp) =>
  vi.waitFor(
    () => {
      const found = elementsIn(document.body).find(({ localName }) => name.test(localName))
      if (!found) throw new Error(`There is no ${name} yet.`)
      return found
    },
    { timeout: 30_000, interval: 50 },
  )

const posts = async (world: World, path: RegExp) =>
  (await world.look()).weavy.filter((request) => request.method === 'POST' && path.test(request.path))

/** Resolves when Weavy has one that it holds until the world releases it. */
const held = (world: World) =>
  vi.waitFor(async () => expect((await world.look()).held).toBe(1), { timeout: 30_000, interval: 50 })

const sends = {
  fetch: (weavy: WeavyInstance) => weavy.fetch('/api/blobs?held', { method: 'POST', body: '{}' }),
  upload: (weavy: WeavyInstance) => {
    const body = new FormData()
    body.append('blob', new Blob(['hers']), 'hers.txt')
    return weavy.upload('/api/blobs?held', 'POST', body, '')
  },
}

/** What one user began is not another's, and a dead token is no reason to fail: with each UIKit whose requests or content differ. */
export function boundaryScenarios(Weavy: WeavyConstructor, version: string) {
  const { connected, builtIn } = instancesOf(Weavy)
  const start = () => startWorld({ lifetimeSeconds: 600, version })
  beforeEach(() => sessionStorage.clear())

  describe('a broker whose store holds a dead token, as Weavy’s sample server keeps it', () => {
    const deadWorld = async () => {
      const world = await start()
      await fetch(world.sampleUrl)
      await world.revokeAll()
      return world
    }

    test('the messenger shows its conversations, as with the built-in', async () => {
      for (const make of [
        (world: World) => void builtIn({ ...world, tokenUrl: world.sampleUrl }),
        (world: World) => void connected(world, { tokenUrl: world.sampleUrl, user: 'alice' }),
      ]) {
        await using world = await deadWorld()
        make(world)
        messenger(world)
        // 0.1 never showed them; `npm run bench:uikit` measures how long it takes.
        await appearsWithin(10_000, ALICES)
        await quiet(world)
      }
    })

    test.concurrent.each([1, 3, 20])(
      '%i first requests at once are answered 200 after one refresh',
      async (count) => {
        await using world = await deadWorld()
        const { weavy } = connected(world, { tokenUrl: world.sampleUrl, user: 'alice' })
        expect(await Promise.all([...Array(count)].map(() => get(weavy)))).toEqual(Array(count).fill(200))
        expect((await world.look()).sample.filter(({ refresh }) => refresh)).toHaveLength(1)
      },
    )
  })

  describe('what alice began and has not sent', () => {
    const mutate = (weavy: WeavyInstance, onMutate: () => Promise<void>) =>
      weavy.queryClient
        .getMutationCache()
        .build(weavy.queryClient, { onMutate, mutationFn: () => upload(weavy) })
        .execute(undefined)
        .catch(() => {})

    test('a file that is hashed while the app switches is never posted', async () => {
      await using world = await start()
      const { source, weavy } = connected(world, { user: 'alice' })
      expect(await get(weavy)).toBe(200)
      let hashed = () => {}
      void mutate(weavy, () => new Promise((resolve) => (hashed = resolve)))
      await sleep(50)
      await world.signIn('bob')
      source.setUser('bob')
      hashed()
      expect(await get(weavy)).toBe(200)
      await sleep(500)
      expect(await posts(world, /blobs/)).toEqual([])
    })

    test('a large file dropped on wy-files is not posted as bob, nor later', async () => {
      await using world = await start()
      const { source } = connected(world, { user: 'alice' })
      const files = world.show('wy-files')
      files.setAttribute('uid', 'shared-files')
      await vi.waitFor(
        async () => expect((await world.look()).weavy.some(({ path }) => /files/.test(path))).toBe(true),
        30_000,
      )
      await quiet(world)
      await world.signIn('bob')
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([new Uint8Array(60_000_000)], 'large.bin'))
      files.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, composed: true }))
      await sleep(1)
      using _ = hearSwitch()
      source.setUser('bob')
      await sleep(3000)
      const sent = await posts(world, /blobs|files/)
      expect(sent.filter(({ uid }) => uid !== 'alice')).toEqual([])
      // This version hashes nothing: the file is on its way at once.
      expect(sent.length).toBeLessThanOrEqual(version.startsWith('25') ? 1 : 0)
    })

    test('a message of the messenger’s own composer is not sent as bob', async () => {
      await using world = await start()
      const { source, weavy } = connected(world, { user: 'alice' })
      messenger(world)
      await appearsWithin(30_000, ALICES)
      const item = await elementNamed(/^wy-conversation(-list)?-item$/)
      const inside = elementsIn(item.shadowRoot ?? item)
      const target = inside.find(({ localName }) => /^(div|wy-(list-)?item)$/.test(localName))
      ;(target as HTMLElement | undefined)?.click()
      const editor = await elementNamed(/^wy-(message-editor|editor-message)$/)
      await quiet(world)
      await world.revokeAll()
      // The refresh is on its way when the app switches.
      await world.setFault({ kind: 'slow', ms: 2000 })
      const detail = {
        text: 'hers',
        meetingId: undefined,
        blobs: [],
        attachments: [],
        pollOptions: [],
        embed: null,
        contextData: [],
      }
      editor.dispatchEvent(new CustomEvent('submit', { detail }))
      await vi.waitFor(async () => {
        const sent = (await posts(world, /messages$/)).map(({ uid, status }) => [uid, status])
        expect(sent).toContainEqual(['alice', 401])
      }, 30_000)
      await world.signIn('bob')
      using _ = hearSwitch()
      source.setUser('bob')
      await world.setFault(null)
      await sleep(2000)
      expect((await posts(world, /messages$/)).filter(({ uid }) => uid !== 'alice')).toEqual([])
      expect(await get(weavy)).toBe(200)
      expect(visibleText()).not.toContain('hers')
    })

    test('a message that waits for the network is never sent as bob', async () => {
      await using world = await start()
      const { source, weavy } = connected(world, { user: 'alice' })
      expect(await get(weavy)).toBe(200)
      window.dispatchEvent(new Event('offline'))
      void mutate(weavy, async () => {})
      await sleep(50)
      await world.signIn('bob')
      source.setUser('bob')
      window.dispatchEvent(new Event('online'))
      await sleep(500)
      expect(await get(weavy)).toBe(200)
      await sleep(1500)
      expect(await posts(world, /blobs/)).toEqual([])
      expect(contentOf(weavy)).not.toContain('hello.txt')
    })
  })

  describe('content at rest', () => {
    // What an instance of the test before writes late would be a stranger's, and is removed late, with hers.
    beforeAll(() => sleep(1500))

    /** A page of a user with a messenger, in a frame. */
    const visit = async (world: World, user: string) => {
      await world.signIn(user)
      const page = await openPage(version)
      const source = page.createTokenSource({ tokenUrl: world.tokenUrl, user })
      const weavy = new page.Weavy({ url: world.weavyUrl })
      page.connectWeavy(source, weavy)
      page.document.body.append(page.document.createElement('wy-messenger'))
      return { ...page, source, weavy }
    }

    test.each([
      ['setUser(null) and', true],
      ['only', false],
    ])('after %s a page load as bob nothing of alice is shown or kept', async (_, isTold) => {
      await using world = await start()
      const hers = await visit(world, 'alice')
      await appearsWithin(30_000, ALICES, hers.document.body)
      await quiet(world)
      await vi.waitFor(() => expect(JSON.stringify({ ...sessionStorage })).toContain(ALICES), 30_000)
      if (isTold) hers.source.setUser(null)
      hers.leave()

      const his = await visit(world, 'bob')
      const shown: string[] = []
      const began = performance.now()
      const isLongerThan = (ms: number) => performance.now() - began > ms
      const isShown = () => shown.at(-1)?.includes('Welcome, Bob')
      while (!isLongerThan(4000) || !(isShown() || isLongerThan(30_000))) {
        shown.push(visibleText(his.document.body))
        await new Promise((resolve) => requestAnimationFrame(resolve))
      }
      expect(shown.at(-1)).toContain('Welcome, Bob')
      expect(shown.filter((text) => text.includes(ALICES))).toEqual([])
      expect(contentOf(his.weavy)).not.toContain(ALICES)
      his.leave()
    })

    test('a page load as alice again shows what the tab kept', async () => {
      await using world = await start()
      const first = await visit(world, 'alice')
      await appearsWithin(30_000, ALICES, first.document.body)
      await vi.waitFor(() => expect(JSON.stringify({ ...sessionStorage })).toContain(ALICES), 30_000)
      first.leave()
      // Until then nothing but what was kept can be shown.
      await world.setFault({ kind: 'slow', ms: 2000 })
      const second = await visit(world, 'alice')
      await vi.waitFor(() => expect(contentOf(second.weavy)).toContain(ALICES), 1500)
      // UIKit 32 spins in a frame that is left while it begins, with the built-in, too.
      await second.source.getToken()
      await quiet(world)
      second.leave()
    })

    test('after setUser(bob) nothing of alice is in the caches or in sessionStorage, also 2 s later', async () => {
      await using world = await start()
      const { source, weavy } = connected(world, { user: 'alice' })
      messenger(world)
      await appearsWithin(30_000, ALICES)
      await world.signIn('bob')
      using _ = hearSwitch()
      source.setUser('bob')
      await sleep(2000)
      expect(contentOf(weavy)).not.toContain(ALICES)
      await vi.waitFor(() => expect(contentOf(weavy)).toContain('Welcome, Bob'), 30_000)
      expect(contentOf(weavy)).not.toContain(ALICES)
    })
  })

  test('the hub’s refusal and a slow request’s refusal of one token cost one refresh', async () => {
    await using world = await start()
    const { weavy } = connected(world, { user: 'alice' })
    messenger(world)
    await vi.waitFor(async () => expect((await world.look()).hubUsers).toHaveLength(1), 30_000)
    await quiet(world)
    const slow = get(weavy, '&held')
    await held(world)
    await world.revokeAll()
    await world.dropHubs()
    // Versions before 32 ask for another token a minute after the hub was refused, unless a request is refused, too.
    await world.release()
    expect(await slow).toBe(200)
    await vi.waitFor(async () => expect((await world.look()).hubUsers).toHaveLength(1), 30_000)
    expect((await world.look()).broker.filter(({ refresh }) => refresh)).toHaveLength(1)
  })

  test('whenTokenIsValid() resolves, as with the built-in', async () => {
    await using world = await start()
    for (const weavy of [builtIn(world), connected(world).weavy]) {
      const valid = weavy.whenTokenIsValid()
      await get(weavy)
      await valid
    }
  })

  test('a <wy-context> element is connected through its instance', async () => {
    await using world = await start()
    const { source } = connected(world, { user: 'alice' })
    const { connectWeavy } = await import('weavy-token')
    const element = world.show('wy-context')
    element.setAttribute('url', world.weavyUrl)
    connectWeavy(source, element as never)
    messenger(world)
    await appearsWithin(30_000, ALICES)
    await quiet(world)
    await world.signIn('bob')
    const before = (await world.look()).weavy.length
    using _ = hearSwitch()
    source.setUser('bob')
    await appearsWithin(30_000, 'Welcome, Bob')
    const since = (await world.look()).weavy.slice(before).filter(({ kind }) => kind === 'api')
    expect(since.filter(({ uid }) => uid === 'alice')).toEqual([])
  })

  describe.concurrent('alice’s request in the air when the app switches', () => {
    for (const [kind, send] of Object.entries(sends))
      test.each(['bob', null])(
        `a ${kind} that is refused after setUser(%j) is not sent again`,
        async (next) => {
          await using world = await start()
          const { source, weavy } = connected(world, { user: 'alice' })
          expect(await get(weavy)).toBe(200)
          const call = reasonOf(send(weavy))
          await held(world)
          await world.signIn(next)
          source.setUser(next)
          await world.revokeAll()
          expect(await call).toMatchObject({ name: 'TokenError', code: 'superseded' })
          await world.release()
          await vi.waitFor(async () => expect(await posts(world, /blobs/)).not.toEqual([]), 30_000)
          await sleep(500)
          expect((await posts(world, /blobs/)).filter(({ uid }) => uid !== 'alice')).toEqual([])
          await vi.waitFor(() => expect(weavy.network?.isPending).toBe(false), 30_000)
        },
      )
  })
}

/** What does not depend on the version, for the newest. */
export function versionlessScenarios(Weavy: WeavyConstructor) {
  const { connected, builtIn } = instancesOf(Weavy)
  const start = () => startWorld({ lifetimeSeconds: 600 })
  beforeEach(() => sessionStorage.clear())

  test.concurrent('two revocations two seconds apart cost one refresh each, and delay no request by a second', async () => {
    /** Weavy takes as long as the revocation may take to arrive. */
    const DELAY_MS = 1000
    /** The longest wait of requests, no more than a browser has connections, that are in the air at two revocations. */
    const revoked = async (world: World, weavy: WeavyInstance) => {
      expect(await get(weavy)).toBe(200)
      const refusals = async () => refusedForToken(await world.look()).length
      const waits: number[] = []
      // On a busy machine a revocation may come when all are answered.
      for (let met = 0; met < 2; ) {
        const before = await refusals()
        const calls = [...Array(5)].map(async () => {
          const begun = performance.now()
          expect(await get(weavy, `&delay=${DELAY_MS}`)).toBe(200)
          waits.push(performance.now() - begun)
        })
        await world.revokeAll()
        await Promise.all(calls)
        await sleep(2000)
        if ((await refusals()) > before) met += 1
      }
      return Math.max(...waits)
    }
    await using world = await start()
    await using other = await start()
    // What the machine adds at that moment, it adds to the built-in, too.
    const [ours, theirs] = await Promise.all([
      revoked(world, connected(world, { tokenUrl: world.sampleUrl }).weavy),
      revoked(other, builtIn({ ...other, tokenUrl: other.sampleUrl })),
    ])
    expect((await world.look()).sample.filter(({ refresh }) => refresh)).toHaveLength(2)
    expect(ours).toBeLessThan(Math.max(theirs, 2 * DELAY_MS + 500) + 500)
  })

  test.concurrent('alice’s request in the air when the app switches: the built-in sends it again as bob', async () => {
    await using world = await start()
    const weavy = builtIn(world)
    expect(await get(weavy)).toBe(200)
    const call = sends.fetch(weavy).catch(() => {})
    await held(world)
    await world.revokeAll()
    await world.signIn('bob')
    await world.release()
    await call
    expect((await posts(world, /blobs/)).map(({ uid }) => uid)).toEqual(['alice', 'bob'])
  })

  test('a first caller who leaves, and a signed_out of the broker, drop nothing that is shown', async () => {
    await using world = await start()
    const { source, weavy } = connected(world, { user: 'alice' })
    const abort = new AbortController()
    const first = reasonOf(source.getToken({ signal: abort.signal }))
    messenger(world)
    abort.abort()
    await first
    await appearsWithin(30_000, ALICES)
    await quiet(world)
    const before = (await world.look()).weavy.length
    await world.signIn(null)
    await world.revokeAll()
    await reasonOf(weavy.fetch(userPath()))
    await sleep(300)
    expect(visibleText()).toContain(ALICES)
    expect((await world.look()).weavy.length - before).toBeLessThanOrEqual(3)
    expect((await world.look()).hubUsers).toEqual(['alice'])
  })

  test('after close() an instance that asked before it was connected sends nothing more', async () => {
    await using world = await start()
    const weavy = new Weavy({ url: world.weavyUrl })
    world.defer(() => weavy.destroy())
    messenger(world)
    await sleep(300)
    const { connectWeavy, createTokenSource } = await import('weavy-token')
    const source = createTokenSource({ tokenUrl: world.tokenUrl, user: 'alice' })
    connectWeavy(source, weavy)
    await appearsWithin(30_000, ALICES)
    await quiet(world)
    const before = (await world.look()).weavy.length
    source.close()
    await sleep(3000)
    const report = await world.look()
    expect(report.weavy.slice(before).filter(({ kind }) => kind !== 'version')).toEqual([])
    expect(report.hubUsers).toEqual([])
    expect(contentOf(weavy)).not.toContain(ALICES)
  })

  test('an instance of a same-origin frame is connected as any other', async () => {
    await using world = await start()
    const page = await openPage('32.2.0')
    const weavy = new page.Weavy({ url: world.weavyUrl })
    const { source } = connected(world, { user: 'alice' })
    const { connectWeavy } = await import('weavy-token')
    connectWeavy(source, weavy)
    expect(await get(weavy)).toBe(200)
    await world.revokeAll()
    expect(await get(weavy)).toBe(200)
    expect(refusedForToken(await world.look())).toHaveLength(1)
  })
}
