import { Weavy } from '@weavy/uikit-web'
import { describe, expect, test, vi } from 'vitest'
import { connectWeavy, createTokenSource, type TokenState } from 'weavy-token'
import { hearSwitch, messenger, type World } from './instances.js'
import { every, startWorld } from './world.js'

const LIFETIME_S = 3
/** Only she can read it; her name bob finds in the room that they share. */
const ALICES = 'Welcome, Alice'

/** A page of alice with a messenger, in a browser whose session becomes bob's while it goes on asking. */
async function live(world: World, weavy: Weavy) {
  world.defer(() => weavy.destroy())
  messenger(world)
  expect((await weavy.fetch('/api/user?n=first')).status).toBe(200)
  await vi.waitFor(() => expect(JSON.stringify({ ...sessionStorage })).toContain(ALICES), 30_000)
  await world.signIn('bob')
  const outcomes: string[] = []
  await every(250, 2 * LIFETIME_S * 1000, async (n) => {
    outcomes.push(
      await weavy
        .fetch(`/api/user?n=${n}`)
        .then(async (response) => (await response.json()).uid ?? response.status)
        // Also of a body that is read when the user has been switched.
        .catch((error) => error.code ?? error.name),
    )
  })
  return outcomes
}

const requestsOf = async (world: World, uid: string) =>
  (await world.look()).weavy.filter(
    (request) => request.uid === uid && ['api', 'upload', 'negotiate', 'hub'].includes(request.kind),
  )

describe('the session becomes bob’s in another tab', () => {
  test('a connected page of alice sends nothing as bob; one failure, and setUser() goes on at once', async () => {
    await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
    const source = createTokenSource({ tokenUrl: world.tokenUrl, user: 'alice' })
    world.defer(source.close)
    const states: TokenState[] = []
    source.subscribe((state) => states.push(state))
    const weavy = new Weavy({ url: world.weavyUrl })
    connectWeavy(source, weavy)

    using _ = hearSwitch()
    const outcomes = await live(world, weavy)

    expect(await requestsOf(world, 'bob')).toEqual([])
    expect(outcomes).toContain('other_user')
    expect(outcomes.filter((outcome) => outcome !== 'alice' && outcome !== 'other_user')).toEqual([])
    expect(states.at(-1)).toMatchObject({ status: 'signed-out', error: { code: 'other_user' } })
    expect(states.filter(({ status }) => status === 'signed-out')).toHaveLength(1)
    source.setUser('bob')
    expect((await weavy.fetch('/api/user?n=last')).status).toBe(200)
    await vi.waitFor(async () => expect(await requestsOf(world, 'bob')).not.toEqual([]), 30_000)
  })

  test('without a user the source follows: what alice began is over, what comes is bob’s', async () => {
    await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
    const source = createTokenSource({ tokenUrl: world.tokenUrl })
    world.defer(source.close)
    const weavy = new Weavy({ url: world.weavyUrl })
    connectWeavy(source, weavy)

    using _ = hearSwitch()
    const outcomes = await live(world, weavy)

    expect(outcomes).toContain('bob')
    const switched = outcomes.indexOf('bob')
    expect(new Set(outcomes.slice(switched))).toEqual(new Set(['bob']))
    expect(JSON.stringify({ ...sessionStorage })).not.toContain(ALICES)
  })

  test('with the built-in tokenUrl it acts as bob', async () => {
    await using world = await startWorld({ lifetimeSeconds: LIFETIME_S })
    const outcomes = await live(world, new Weavy({ url: world.weavyUrl, tokenUrl: world.tokenUrl }))
    expect(outcomes).toContain('bob')
  })
})
