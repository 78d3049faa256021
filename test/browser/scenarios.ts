import { describe, expect, test, vi } from 'vitest'
import { connectWeavy, createTokenSource } from 'weavy-token'
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
import { every, hearHoldUps, hearRequests, refusedForToken, sleep, startWorld } from './world.js'

export type { WeavyConstructor } from './instances.js'

const BURST_LIFETIME_S = 8
const PAST_EXPIRY_MS = BURST_LIFETIME_S * 1000 + 500
/** Long enough for 50 requests to leave a busy machine: a browser sends six at once, and the others wait with their token. */
const BURST_AHEAD_MS = 5000

/** An instance with a messenger is left alone until its token has run out; then 50 requests leave at once. */
async function burstAfterExpiry(world: World, weavy: WeavyInstance) {
  messenger(world)
  expect(await get(weavy)).toBe(200)
  await vi.waitFor(async () => expect((await world.look()).hubUsers).toHaveLength(1), 30_000)
  await sleep(PAST_EXPIRY_MS)
  const statuses = await Promise.all([...Array(50)].map(() => get(weavy)))
  expect(statuses).toEqual(Array(50).fill(200))
  expect(await upload(weavy)).toBe(200)
}

/** The scenarios that hold for every supported version of the UIKit. */
export function coreScenarios(Weavy: WeavyConstructor, version: string) {
  const { connected } = instancesOf(Weavy)
  const start = (lifetimeSeconds: number) => startWorld({ lifetimeSeconds, version })

  test('a burst, an upload and a hub that reconnects are never refused after an expiry', async () => {
    await using world = await start(BURST_LIFETIME_S)
    await burstAfterExpiry(world, connected(world, { refreshAheadMs: BURST_AHEAD_MS }).weavy)
    await sleep(PAST_EXPIRY_MS)
    await world.dropHubs()
    // Versions before 32 come back after 10 s, and if that fails after 12 or 22.
    await vi.waitFor(async () => expect((await world.look()).hubUsers).toHaveLength(1), 30_000)
    expect(refusedForToken(await world.look())).toEqual([])
  })

  describe.concurrent('revocation', () => {
    /** 20 requests are judged after all tokens were revoked, half of them three seconds later. */
    const revoked = async (world: World, weavy: WeavyInstance) => {
      expect(await get(weavy)).toBe(200)
      const inTheAir = [...Array(20)].map((_, n) => get(weavy, `&delay=${n % 2 ? 300 : 3000}`))
      await sleep(100)
      await world.revokeAll()
      expect(await Promise.all(inTheAir)).toEqual(Array(20).fill(200))
      return (await world.look()).broker.filter(({ refresh }) => refresh).length
    }

    test('costs one refresh, however many requests were in the air and however late they are refused', async () => {
      await using world = await start(600)
      expect(await revoked(world, connected(world).weavy)).toBe(1)
    })

    test('of a token that was issued a moment ago heals as well', async () => {
      await using world = await start(600)
      const { weavy } = connected(world)
      for (let round = 0; round < 2; round++) {
        expect(await get(weavy)).toBe(200)
        await world.revokeAll()
        expect(await get(weavy)).toBe(200)
      }
    })
  })

  test.concurrent('a forbidden resource that is polled, and eight others, cost one refresh, and everything else keeps working', async () => {
    await using world = await start(600)
    const { weavy } = connected(world)
    await world.forbid('/api/notifications')
    await every(100, 4000, async (n) => {
      expect((await weavy.fetch(`/api/notifications?n=${n}`)).status).toBe(403)
      expect(await get(weavy)).toBe(200)
    })
    // Nor do others that she may not see, one after the other.
    for (let n = 0; n < 8; n++) {
      await world.forbid(`/api/apps/${n}`)
      expect((await weavy.fetch(`/api/apps/${n}`)).status).toBe(403)
    }
    expect(await get(weavy)).toBe(200)
    expect((await world.look()).broker.length).toBeLessThanOrEqual(2)
    await world.revokeAll()
    await reasonOf(weavy.fetch('/api/notifications'))
    await get(weavy)
    expect(await get(weavy)).toBe(200)
  })

  describe('user switch', () => {
    test('no request goes out as the old user, whose content is gone, and the hub reconnects as the new one', async () => {
      await using world = await start(600)
      const { source, weavy } = connected(world, { user: 'alice' })
      messenger(world)
      await vi.waitFor(async () => {
        expect(await get(weavy)).toBe(200)
        expect((await world.look()).hubUsers).toEqual(['alice'])
        expect(visibleText()).toContain('Welcome, Alice')
      }, 30_000)
      await quiet(world)
      await world.signIn('bob')
      const before = (await world.look()).weavy.length

      using _ = hearSwitch()
      source.setUser('bob')
      expect(await get(weavy)).toBe(200)

      await vi.waitFor(async () => expect((await world.look()).hubUsers).toEqual(['bob']), 30_000)
      await vi.waitFor(() => expect(visibleText()).toContain('Bob'), 30_000)
      await sleep(1500)
      const since = (await world.look()).weavy.slice(before).filter(({ kind }) => kind !== 'version')
      expect(since.filter(({ uid }) => uid === 'alice')).toEqual([])
      expect(since.filter(({ uid }) => uid === 'bob').length).toBeGreaterThan(2)
      expect(visibleText()).toContain('Bob')
      expect(visibleText() + JSON.stringify({ ...sessionStorage })).not.toContain('Welcome, Alice')
    })

    test('after setUser(null) nothing of the old user is kept and no request goes out', async () => {
      await using world = await start(600)
      const { source, weavy } = connected(world, { user: 'alice' })
      messenger(world)
      await vi.waitFor(async () => {
        expect((await world.look()).hubUsers).toEqual(['alice'])
        expect(visibleText()).toContain('Welcome, Alice')
      }, 30_000)
      await quiet(world)
      using _ = hearSwitch()
      source.setUser(null)
      const before = (await world.look()).weavy.length
      expect(await reasonOf(weavy.fetch(userPath()))).toMatchObject({ code: 'signed_out' })
      await sleep(2500)
      const report = await world.look()
      expect(report.weavy.slice(before).filter(({ kind }) => kind !== 'version')).toEqual([])
      expect(report.hubUsers).toEqual([])
      expect(visibleText() + JSON.stringify({ ...sessionStorage })).not.toContain('Welcome, Alice')
    })
  })
}

/** The scenarios that take longer, for the newest version. */
export function hardScenarios(Weavy: WeavyConstructor) {
  const { connected, builtIn, plain } = instancesOf(Weavy)

  describe.concurrent('a broker in trouble', () => {
    test('that takes 3 s at each rotation delays no request by a second', async () => {
      await using world = await startWorld({ lifetimeSeconds: 20 })
      // Jitter leaves five of them at least: two more than the broker takes, for what a busy machine adds.
      const { weavy } = connected(world, { refreshAheadMs: 10_000 })
      expect(await get(weavy)).toBe(200)
      await world.setFault({ kind: 'slow', ms: 3000 })
      using holdUps = hearHoldUps()
      using requests = hearRequests()
      const delays: number[] = []
      await every(200, 21_000, async () => {
        const path = userPath()
        const called = performance.now()
        expect((await weavy.fetch(path)).status).toBe(200)
        delays.push((await requests.left(world.weavyUrl + path)) - called)
      })
      expect(Math.max(...delays)).toBeLessThan(1000 + holdUps.ms)
      expect((await world.look()).broker.length).toBeGreaterThan(1)
      expect(refusedForToken(await world.look())).toEqual([])
    })

    // A request without an answer is looked at once more: it may be a redirect that no page may follow.
    for (const fault of [{ kind: 'down', retryAfter: 2 } as const, { kind: 'reset' } as const])
      test(`that is ${fault.kind} for 8 s is asked 5 times at most, and once more for a reset, and no request fails`, async () => {
        await using world = await startWorld({ lifetimeSeconds: 6 })
        // Counted here: Firefox sends a request whose connection was reset ten times before it gives up.
        const sent: number[] = []
        const fetch: typeof globalThis.fetch = (...args) => {
          sent.push(performance.now())
          return globalThis.fetch(...args)
        }
        const { weavy } = connected(world, { refreshAheadMs: 2000, fetch })
        expect(await get(weavy)).toBe(200)
        // It ends by itself: an order of this page may be late.
        await world.setFault({ ...fault, forMs: 8000 })
        let healedAt = 0
        let firstAfter = Number.POSITIVE_INFINITY
        using holdUps = hearHoldUps()
        // The outage begins when the first refresh meets it.
        const outage = vi
          .waitFor(() => expect(sent.length).toBeGreaterThan(1), 30_000)
          .then(() => sleep(8000))
          .then(() => {
            healedAt = performance.now()
          })
        let slowestMs = 0
        await every(250, 16_000, async (n) => {
          const from = performance.now()
          const bare = globalThis
            .fetch(`${world.weavyUrl}/version?n=${n}`)
            .then(() => performance.now() - from)
          expect(await get(weavy)).toBe(200)
          if (healedAt) firstAfter = Math.min(firstAfter, performance.now())
          slowestMs = Math.max(slowestMs, await bare)
        })
        await outage
        const [, began = 0] = sent
        const inOutage = sent.slice(1).filter((at) => at < began + 8000)
        expect(inOutage.length).toBeLessThanOrEqual(fault.kind === 'reset' ? 6 : 5)
        // Asked again, or answered what it had been asked before.
        const next = Math.min(firstAfter, ...sent.filter((at) => at > healedAt))
        expect(next - healedAt).toBeLessThanOrEqual(2500 + holdUps.ms)
        // What the machine takes for the broker's answer and for Weavy's is not ours.
        expect(firstAfter - healedAt).toBeLessThanOrEqual(2500 + holdUps.ms + 2 * slowestMs)
        expect(refusedForToken(await world.look())).toEqual([])
      })

    for (const [kind, code] of [
      ['garbage', 'bad_response'],
      ['empty', 'bad_response'],
      ['html', 'bad_response'],
      ['api-key', 'wrong_token'],
      ['same-token', 'rejected'],
    ] as const)
      test(`that gives ${kind} shows the app a typed error, starts no loop and heals`, async () => {
        await using world = await startWorld({ lifetimeSeconds: 600 })
        const { source, weavy } = connected(world)
        expect(await get(weavy)).toBe(200)
        await world.setFault({ kind })
        await world.revokeAll()
        expect(await reasonOf(weavy.fetch(userPath()))).toMatchObject({ name: 'TokenError', code })
        const from = Date.now()
        await sleep(5000)
        // Not how many there are by now: the answer to this page may be late.
        const asked = (await world.look()).broker.filter(({ at }) => at > from && at < from + 5000)
        expect(asked.length).toBeLessThanOrEqual(4)
        await world.setFault(null)
        // Past its cool-down, which unit tests measure.
        if (kind === 'same-token') source.clear()
        await vi.waitFor(async () => expect(await get(weavy)).toBe(200), { timeout: 30_000, interval: 500 })
      })
  })

  describe.concurrent('ends', () => {
    const surface = (weavy: WeavyInstance) => ({
      own: Object.getOwnPropertyNames(weavy).filter((name) =>
        ['getToken', 'fetch', 'destroy'].includes(name),
      ),
      tokenFactory: weavy.tokenFactory,
    })

    test('disconnect leaves the instance as it was, with one connection or two', async () => {
      await using world = await startWorld()
      const source = createTokenSource({ tokenUrl: world.tokenUrl })
      const other = createTokenSource({ tokenUrl: world.tokenUrl })
      const weavy = new Weavy({ url: world.weavyUrl })
      const before = surface(weavy)

      const first = connectWeavy(source, weavy)
      const second = connectWeavy(source, weavy)
      first()
      first()
      expect(await get(weavy)).toBe(200)
      expect((await world.look()).broker).toHaveLength(1)
      second()
      expect(surface(weavy)).toEqual(before)

      const replaced = connectWeavy(source, weavy)
      const replacing = connectWeavy(other, weavy)
      replaced()
      expect(await get(weavy)).toBe(200)
      expect(other.getState().status).toBe('ready')
      replacing()
      expect(surface(weavy)).toEqual(before)

      weavy.destroy()
      source.close()
      other.close()
    })

    test('closing the source gives the instance back, destroying the instance leaves the source alone', async () => {
      await using world = await startWorld()
      const source = createTokenSource({ tokenUrl: world.tokenUrl })
      const [closed, destroyed] = [new Weavy({ url: world.weavyUrl }), new Weavy({ url: world.weavyUrl })]
      const before = surface(closed)
      connectWeavy(source, closed)
      const disconnect = connectWeavy(source, destroyed)
      destroyed.destroy()
      disconnect()
      await expect(destroyed.getToken()).rejects.toThrow()
      expect(await get(closed)).toBe(200)
      source.close()
      expect(surface(closed)).toEqual(before)
      closed.destroy()
    })
  })

  describe.concurrent('a plain factory, not connected', () => {
    test('refreshes after a refusal, and the same token for ever starts no loop', async () => {
      await using world = await startWorld({ lifetimeSeconds: 600 })
      const [weavy] = plain(world, 1) as [WeavyInstance]
      expect(await get(weavy)).toBe(200)
      await world.revokeAll()
      expect(await get(weavy)).toBe(200)
      await world.setFault({ kind: 'same-token' })
      await world.revokeAll()
      expect(await reasonOf(weavy.fetch(userPath()))).toMatchObject({ code: 'rejected' })
      const before = (await world.look()).broker.length
      await sleep(6000)
      expect((await world.look()).broker.length).toBe(before)
    })

    test('a second instance that holds the old token costs no request', async () => {
      await using world = await startWorld({ lifetimeSeconds: 600 })
      const weavys = plain(world, 2)
      for (const weavy of weavys) expect(await get(weavy)).toBe(200)
      await world.revokeAll()
      for (const weavy of weavys) expect(await get(weavy)).toBe(200)
      expect((await world.look()).broker).toHaveLength(2)
    })
  })

  test('a broker that knows nobody any more is asked twice in 15 s at most, and all resumes after a sign-in', async () => {
    await using world = await startWorld({ lifetimeSeconds: 4 })
    const { source, weavy } = connected(world)
    messenger(world)
    expect(await get(weavy)).toBe(200)
    const { broker } = await world.signIn(null)
    const before = broker.length
    let last: unknown
    await every(500, 15_000, async () => {
      last = await reasonOf(weavy.fetch(userPath()))
    })
    expect(last).toMatchObject({ code: 'signed_out' })
    expect((await world.look()).broker.length - before).toBeLessThanOrEqual(2)
    expect(source.getState()).toMatchObject({ status: 'signed-out' })
    await world.signIn('alice')
    source.clear()
    expect(await get(weavy)).toBe(200)
  })

  test('with the built-in tokenUrl the whole burst after an expiry is refused', async () => {
    await using world = await startWorld({ lifetimeSeconds: BURST_LIFETIME_S })
    await burstAfterExpiry(world, builtIn(world))
    expect(refusedForToken(await world.look()).length).toBeGreaterThan(20)
  })
}
