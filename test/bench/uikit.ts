import { Weavy } from '@weavy/uikit-web'
import { test } from 'vitest'
import { commands } from 'vitest/browser'
import { connectWeavy, createTokenSource, type TokenFactory, type TokenSource } from 'weavy-token'
import { visibleText } from '../browser/instances.js'
import { openPage } from '../browser/page.js'
import { every, refusedForToken, sleep, startWorld } from '../browser/world.js'
import type { WorldReport } from '../browser/worlds.js'

declare module 'vitest/browser' {
  interface BrowserCommands {
    print(text: string): Promise<void>
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

/** What a page has to build with: this one, or one in a frame. */
interface Kit {
  Weavy: new (options: { url: string; tokenUrl?: string; tokenFactory?: TokenFactory }) => Weavy
  connectWeavy: typeof connectWeavy
  createTokenSource: typeof createTokenSource
}

const here: Kit = { Weavy, connectWeavy, createTokenSource }

/** Three ways to give the UIKit its tokens. */
const WAYS = {
  'built-in `tokenUrl`': ({ Weavy }: Kit, { weavyUrl, tokenUrl }: World, count: number) => ({
    source: undefined as TokenSource | undefined,
    weavys: [...Array(count)].map(() => new Weavy({ url: weavyUrl, tokenUrl })),
  }),
  'plain factory': (
    { Weavy, createTokenSource }: Kit,
    { weavyUrl, tokenUrl }: World,
    count: number,
    user = 'alice',
  ) => {
    const source = createTokenSource({ tokenUrl, user })
    return {
      source,
      weavys: [...Array(count)].map(
        () => new Weavy({ url: weavyUrl, tokenFactory: source.createTokenFactory() }),
      ),
    }
  },
  connected: (
    { Weavy, createTokenSource, connectWeavy }: Kit,
    { weavyUrl, tokenUrl }: World,
    count: number,
    user = 'alice',
  ) => {
    const source = createTokenSource({ tokenUrl, user })
    const weavys = [...Array(count)].map(() => new Weavy({ url: weavyUrl }))
    for (const weavy of weavys) connectWeavy(source, weavy)
    return { source, weavys }
  },
}
type Way = (
  kit: Kit,
  world: World,
  count: number,
  user?: string,
) => {
  source: TokenSource | undefined
  weavys: Weavy[]
}

let serial = 0
const get = (weavy: Weavy, query = '') => weavy.fetch(`/api/user?n=${serial++}${query}`)
const refreshes = ({ broker }: WorldReport) => broker.filter(({ refresh }) => refresh).length
const refused = (report: WorldReport) => refusedForToken(report).length

interface Scene {
  title: string
  lifetimeSeconds: number
  instances: number
  /** What happened before the page was opened. */
  prepare?(world: World): Promise<unknown>
  run(world: World, weavys: Weavy[], source: TokenSource | undefined, way: Way): Promise<number>
}

const one = (weavys: Weavy[]) => weavys[0] as Weavy
/** What failed is counted elsewhere. */
const calmly = (promise: Promise<unknown>) => promise.catch(() => undefined)

/** Whatever the way is to tell it. */
const switchTo = async (user: string, world: World, weavy: Weavy, source: TokenSource | undefined) => {
  await world.signIn(user)
  if (source) source.setUser(user)
  else await weavy.reset()
}

const postedAs = async (uid: string, world: World) =>
  (await world.look()).weavy.filter((request) => request.uid === uid && request.kind === 'upload').length

const ALICES = 'Welcome, Alice'
const GIVE_UP_MS = 5000

const messengerIn = (page: Document) => page.body.append(page.createElement('wy-messenger'))

/** In milliseconds, or `GIVE_UP_MS`. */
const shownAfter = async (text: string, page: Document) => {
  const begun = performance.now()
  const elapsed = () => performance.now() - begun
  while (elapsed() < GIVE_UP_MS && !visibleText(page.body).includes(text)) await sleep(10)
  return Math.round(Math.min(elapsed(), GIVE_UP_MS))
}

const SCENES: Scene[] = [
  {
    title: 'requests refused with 401 in six lifetimes of 4 s, a request every 100 ms',
    lifetimeSeconds: 4,
    instances: 1,
    async run(world, weavys) {
      await every(100, 25_000, () => calmly(get(one(weavys))))
      return refused(await world.look())
    },
  },
  {
    title: 'of 50 requests at once just after an expiry, refused',
    lifetimeSeconds: 3,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      await sleep(3500)
      await Promise.all([...Array(50)].map(() => calmly(get(one(weavys)))))
      return refused(await world.look())
    },
  },
  {
    title: 'broker requests for one expiry, three instances',
    lifetimeSeconds: 4,
    instances: 3,
    async run(world, weavys) {
      await Promise.all(weavys.map((weavy) => get(weavy)))
      const before = (await world.look()).broker.length
      await sleep(4200)
      await Promise.all(weavys.map((weavy) => get(weavy)))
      return (await world.look()).broker.length - before
    },
  },
  {
    title: 'refreshes after one revocation, 20 requests in the air, half of them refused 3 s late',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      const inTheAir = [...Array(20)].map((_, n) => calmly(get(one(weavys), `&delay=${n % 2 ? 300 : 3000}`)))
      await sleep(100)
      await world.revokeAll()
      await Promise.all(inTheAir)
      return refreshes(await world.look())
    },
  },
  {
    title: 'broker requests in an 8 s outage (503, `Retry-After: 2`) across an expiry',
    lifetimeSeconds: 4,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      const before = (await world.setFault({ kind: 'down', retryAfter: 2 })).broker.length
      await sleep(3000)
      const calls = every(500, 8000, () => calmly(get(one(weavys))))
      await sleep(8000)
      const report = await world.setFault(null)
      await calls
      return report.broker.length - before
    },
  },
  {
    title: 'broker requests in 15 s after the session ended (401), a request every 500 ms',
    lifetimeSeconds: 3,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      const before = (await world.signIn(null)).broker.length
      await sleep(3200)
      await every(500, 15_000, () => calmly(get(one(weavys))))
      return (await world.look()).broker.length - before
    },
  },
  {
    title: 'of about 70 requests over an expiry, longer than 1 s while the broker takes 3 s',
    lifetimeSeconds: 40,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      await world.setFault({ kind: 'slow', ms: 3000 })
      await sleep(33_000)
      let slow = 0
      await every(200, 14_000, async () => {
        const begun = performance.now()
        await calmly(get(one(weavys)))
        if (performance.now() - begun > 1000) slow += 1
      })
      return slow
    },
  },
  {
    title: 'of 20 requests after the user was switched, sent as the old user',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys, source) {
      await get(one(weavys))
      const before = (await world.signIn('bob')).weavy.length
      if (source) source.setUser('bob')
      else await one(weavys).reset()
      await Promise.all([...Array(20)].map(() => get(one(weavys))))
      return (await world.look()).weavy.slice(before).filter(({ uid }) => uid === 'alice').length
    },
  },
  {
    title: `ms until the messenger shows its conversations, a dead token in the broker’s cache (${GIVE_UP_MS}: never)`,
    lifetimeSeconds: 600,
    instances: 1,
    prepare: async (world) => {
      await fetch(world.tokenUrl)
      await world.revokeAll()
    },
    async run() {
      messengerIn(document)
      const ms = await shownAfter(ALICES, document)
      document.body.replaceChildren()
      return ms
    },
  },
  {
    title: 'refreshes for two revocations 2 s apart, 10 requests in the air at each',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys) {
      await get(one(weavys))
      for (let round = 0; round < 2; round++) {
        const calls = [...Array(10)].map((_, n) => calmly(get(one(weavys), `&delay=${300 + n * 20}`)))
        await sleep(100)
        await world.revokeAll()
        await Promise.all(calls)
        await sleep(2000)
      }
      return refreshes(await world.look())
    },
  },
  {
    title: 'of 3 requests after a 403 elsewhere and a revocation, answered with 401',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys) {
      await world.forbid('/api/notifications')
      await one(weavys).fetch('/api/notifications')
      await world.revokeAll()
      const statuses = await Promise.all([1, 2, 3].map(async () => (await get(one(weavys))).status))
      return statuses.filter((status) => status === 401).length
    },
  },
  {
    title: 'of 3 POSTs of alice, refused after the app switched to bob, sent again as bob',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys, source) {
      const weavy = one(weavys)
      await get(weavy)
      const calls = [1, 2, 3].map(() =>
        calmly(weavy.fetch('/api/blobs?delay=600', { method: 'POST', body: '{}' })),
      )
      await sleep(200)
      await world.revokeAll()
      await switchTo('bob', world, weavy, source)
      await Promise.all(calls)
      await sleep(500)
      return postedAs('bob', world)
    },
  },
  {
    title: 'a file that alice dropped and that is hashed while the app switches, posted as bob',
    lifetimeSeconds: 600,
    instances: 1,
    async run(world, weavys, source) {
      const weavy = one(weavys)
      await get(weavy)
      let hashed = () => {}
      const body = new FormData()
      body.append('blob', new Blob(['hers']), 'hers.txt')
      const upload = weavy.queryClient.getMutationCache().build(weavy.queryClient, {
        onMutate: () => new Promise<void>((resolve) => (hashed = resolve)),
        mutationFn: () => weavy.upload('/api/blobs', 'POST', body),
      })
      void calmly(upload.execute(undefined))
      await sleep(50)
      await switchTo('bob', world, weavy, source)
      // The built-in has no other way to take a new user's token.
      if (!source) await weavy.getToken(true)
      hashed()
      await sleep(1000)
      return postedAs('bob', world)
    },
  },
  {
    title: 'frames in 2 s that show content of alice after a sign-out link and a page load as bob',
    lifetimeSeconds: 600,
    instances: 0,
    async run(world, _, __, way) {
      sessionStorage.clear()
      const hers = await openPage('32')
      way(hers as unknown as Kit, world, 1)
      messengerIn(hers.document)
      await shownAfter(ALICES, hers.document)
      await sleep(2000)
      hers.leave()
      await world.signIn('bob')
      const his = await openPage('32')
      way(his as unknown as Kit, world, 1, 'bob')
      messengerIn(his.document)
      let frames = 0
      const until = performance.now() + 2000
      while (performance.now() < until) {
        if (visibleText(his.document.body).includes(ALICES)) frames += 1
        await new Promise((resolve) => requestAnimationFrame(resolve))
      }
      his.leave()
      return frames
    },
  },
]

test('compares', async () => {
  const ways = Object.entries(WAYS)
  await commands.print(
    `| | ${ways.map(([way]) => way).join(' | ')} |\n|---|${ways.map(() => '---:|').join('')}\n`,
  )
  for (const scene of SCENES) {
    const figures: number[] = []
    for (const [, way] of ways) {
      const started = await startWorld({ lifetimeSeconds: scene.lifetimeSeconds })
      // A broker that caches without an expiry, where that is the point.
      await using world = scene.prepare ? { ...started, tokenUrl: started.sampleUrl } : started
      await scene.prepare?.(world)
      const { source, weavys } = way(here, world, scene.instances)
      figures.push(await scene.run(world, weavys, source, way))
      for (const weavy of weavys) weavy.destroy()
      source?.close()
    }
    await commands.print(`| ${scene.title} | ${figures.join(' | ')} |\n`)
  }
})
