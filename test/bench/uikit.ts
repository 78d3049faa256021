import { Weavy } from '@weavy/uikit-web'
import { test } from 'vitest'
import { commands } from 'vitest/browser'
import { connectWeavy, createTokenSource, type TokenSource } from 'weavy-token'
import { every, refusedForToken, sleep, startWorld } from '../browser/world.js'
import type { WorldReport } from '../browser/worlds.js'

declare module 'vitest/browser' {
  interface BrowserCommands {
    print(text: string): Promise<void>
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

/** Three ways to give the UIKit its tokens. */
const WAYS = {
  'built-in `tokenUrl`': (world: World, count: number) => ({
    source: undefined as TokenSource | undefined,
    weavys: [...Array(count)].map(() => new Weavy({ url: world.weavyUrl, tokenUrl: world.tokenUrl })),
  }),
  'plain factory': (world: World, count: number) => {
    const source = createTokenSource({ tokenUrl: world.tokenUrl, user: 'alice' })
    return {
      source,
      weavys: [...Array(count)].map(
        () => new Weavy({ url: world.weavyUrl, tokenFactory: source.createTokenFactory() }),
      ),
    }
  },
  connected: (world: World, count: number) => {
    const source = createTokenSource({ tokenUrl: world.tokenUrl, user: 'alice' })
    const weavys = [...Array(count)].map(() => new Weavy({ url: world.weavyUrl }))
    for (const weavy of weavys) connectWeavy(source, weavy)
    return { source, weavys }
  },
}

let serial = 0
const get = (weavy: Weavy, query = '') => weavy.fetch(`/api/user?n=${serial++}${query}`)
const refreshes = ({ broker }: WorldReport) => broker.filter(({ refresh }) => refresh).length
const refused = (report: WorldReport) => refusedForToken(report).length

interface Scene {
  title: string
  lifetimeSeconds: number
  instances: number
  run(world: World, weavys: Weavy[], source: TokenSource | undefined): Promise<number>
}

const one = (weavys: Weavy[]) => weavys[0] as Weavy
/** What failed is counted elsewhere. */
const calmly = (promise: Promise<unknown>) => promise.catch(() => undefined)

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
]

test('compares', async () => {
  const ways = Object.entries(WAYS)
  await commands.print(
    `| | ${ways.map(([way]) => way).join(' | ')} |\n|---|${ways.map(() => '---:|').join('')}\n`,
  )
  for (const scene of SCENES) {
    const figures: number[] = []
    for (const [, way] of ways) {
      await using world = await startWorld({ lifetimeSeconds: scene.lifetimeSeconds })
      const { source, weavys } = way(world, scene.instances)
      figures.push(await scene.run(world, weavys, source))
      for (const weavy of weavys) weavy.destroy()
      source?.close()
    }
    await commands.print(`| ${scene.title} | ${figures.join(' | ')} |\n`)
  }
})
