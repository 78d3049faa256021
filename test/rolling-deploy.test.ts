import { afterEach, describe, expect, test } from 'vitest'
import { createTokenSource, type TokenSource } from '../src/index.js'
import { createTestBroker } from './broker/ask.js'
import { fakeClocks, pass, SECOND } from './world.js'

fakeClocks()

const sources: TokenSource[] = []
afterEach(() => {
  for (const source of sources.splice(0)) source.close()
})

/** Tokens that live for an hour unless they are revoked. */
function createWeavy() {
  const alive = new Set<string>()
  let issued = 0
  return {
    alive,
    calls: () => issued,
    async issue() {
      issued += 1
      const token = `wyu_${issued}`
      alive.add(token)
      return { access_token: token, expires_in: 3600 }
    },
  }
}
type Weavy = ReturnType<typeof createWeavy>
type Broker = (request: Request) => Promise<Response>

/** The wire contract before `sub`: a token is kept, and `refresh=true` within 5 s of a replacement gives the same one. */
function createOldBroker(weavy: Weavy): Broker {
  let kept: object | undefined
  let replacedAt = Number.NEGATIVE_INFINITY
  return async (request) => {
    const isRefresh = new URL(request.url).searchParams.get('refresh') === 'true'
    if (!kept || (isRefresh && performance.now() - replacedAt >= 5 * SECOND)) {
      if (kept) replacedAt = performance.now()
      kept = await weavy.issue()
    }
    return Response.json(kept)
  }
}

const createNewBroker = (weavy: Weavy): Broker =>
  createTestBroker({ fetch: async () => Response.json(await weavy.issue()) }).broker.fetch

/** A page as it was before `sub`, and as the UIKit still is: whatever is wrong, it says `refresh=true`. */
function createOldPage(ask: (url: string) => Promise<Response>) {
  let held: string | undefined
  return async (refused?: string) => {
    if (held === undefined || held === refused) {
      const answer = await ask(`https://app.example/api/token${held ? '?refresh=true' : ''}`)
      held = ((await answer.json()) as { access_token: string }).access_token
    }
    return held
  }
}

function createNewPage(ask: (url: string) => Promise<Response>) {
  const source = createTokenSource({
    tokenUrl: 'https://app.example/api/token',
    user: 'ada',
    fetch: (url) => ask(String(url)),
  })
  sources.push(source)
  return (refused?: string) => source.getToken(refused === undefined ? {} : { rejected: refused })
}

describe.each([
  ['old', createOldPage],
  ['new', createNewPage],
] as const)('pages that are %s', (age, createPage) => {
  // An old broker gives a token again within 5 s, dead or not.
  test.each([
    ['old brokers', [createOldBroker, createOldBroker], 2],
    ['new brokers', [createNewBroker], 1],
    ['old and new brokers in turn', [createOldBroker, createNewBroker], 2],
    ['old and new brokers in turn, most of them new', [createNewBroker, createOldBroker, createNewBroker], 2],
  ] as const)(
    'and %s: all tokens are revoked ten times, and each page goes on',
    async (name, factories, most) => {
      const weavy = createWeavy()
      const brokers = factories.map((create) => create(weavy))
      const urls: string[] = []
      const ask = async (url: string) => {
        urls.push(url)
        const broker = brokers[urls.length % brokers.length] as Broker
        return broker(new Request(url))
      }
      // A number that neither two nor three divides, so that each page meets every broker.
      const pages = Array.from({ length: 5 }, () => createPage(ask))
      let mostRefusals = 0
      async function use(page: (refused?: string) => Promise<string>) {
        let token = await page()
        for (let refusals = 1; !weavy.alive.has(token); refusals += 1) {
          mostRefusals = Math.max(mostRefusals, refusals)
          token = await page(token)
        }
      }
      for (let round = 0; round < 10; round += 1) {
        const used = Promise.all(pages.map(use))
        await pass(20 * SECOND)
        await used
        weavy.alive.clear()
      }
      expect(mostRefusals).toBe(most)
      const said = urls.filter((url) => /held=|refused=/.test(url))
      if (age === 'old' || name === 'old brokers') expect(said).toEqual([])
      else expect(said.length).toBeGreaterThan(0)
      if (name === 'new brokers') expect(weavy.calls()).toBe(10)
    },
  )
})
