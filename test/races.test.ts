import { describe, expect, test, vi } from 'vitest'
import { settle } from './settle.js'
import { byHand, byScript, fakeClocks, HOUR, pass, SECOND, token, watch } from './world.js'

fakeClocks()

/** An answer takes some microtasks to arrive. Whatever happens in between must find the same promises kept. */
const HOPS = Array.from({ length: 16 }, (_, hops) => hops)
const hop = async (times: number) => {
  for (let i = 0; i < times; i++) await null
}

describe.each(HOPS)('%i microtasks after an answer', (hops) => {
  test('clear(): nothing is asked for after it, nothing of it is kept', async () => {
    const { source, requests, request } = byHand()
    const seen = watch(source.getToken())
    // Expired on arrival, so another request would follow.
    request(1).answer('wyu_1', 0)
    await hop(hops)
    source.clear()
    const asked = requests.length
    await pass(HOUR)
    expect(requests).toHaveLength(asked)
    if (asked === 2) expect(request(2).signal.aborted).toBe(true)
    expect(seen.outcome).toBe('superseded')
    expect(source.getState()).toEqual({ status: 'empty' })
  })

  test('setUser(): the next user gets a token of their own', async () => {
    const { source, requests, request } = byHand({ user: 'a' })
    watch(source.getToken())
    request(1).answer('wyu_a')
    await hop(hops)
    source.setUser('b')
    const seen = watch(source.getToken())
    expect(requests).toHaveLength(2)
    request(2).answer('wyu_b')
    await settle()
    expect(seen.outcome).toBe('wyu_b')
  })

  test('a refusal of the token that the answer repeats: it is not handed out again', async () => {
    const { source, request, requests } = byHand({ timeoutMs: HOUR })
    watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await pass(58 * SECOND)
    request(2).answer('wyu_1', 60)
    await hop(hops)
    const forced = watch(source.getToken({ rejected: 'wyu_1' }))
    const plain = watch(source.getToken())
    await pass(SECOND)
    const late = watch(source.getToken())
    await pass(2 * SECOND)
    const outcomes = () => [forced, plain, late].map(({ outcome }) => outcome)
    expect(outcomes()).toEqual(['pending', 'pending', 'pending'])
    request(requests.length).answer('wyu_2')
    await settle()
    expect(outcomes()).toEqual(['wyu_2', 'wyu_2', 'wyu_2'])
  })

  test('close(): no timer is left, the waiter is told', async () => {
    const { source, request } = byHand()
    const seen = watch(source.getToken())
    request(1).answer('wyu_1', 60)
    await hop(hops)
    source.close()
    expect(vi.getTimerCount()).toBe(0)
    await settle()
    expect(['closed', 'wyu_1']).toContain(seen.outcome)
    await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
  })

  test('the last waiter aborts: it gets its reason or the token, and the next caller a token', async () => {
    const { source, request, requests } = byHand()
    const abort = new AbortController()
    const seen = watch(source.getToken({ signal: abort.signal }))
    request(1).answer('wyu_1')
    await hop(hops)
    abort.abort()
    await settle()
    expect(seen.error === abort.signal.reason || seen.outcome === 'wyu_1').toBe(true)
    const next = watch(source.getToken())
    await settle()
    if (next.outcome === 'pending') request(requests.length).answer('wyu_2')
    await settle()
    expect(next.outcome).toMatch(/^wyu_/)
  })
})

test('a caller who aborts in the step in which its token is refused gets its reason at once', async () => {
  const { source, request } = byHand()
  const abort = new AbortController()
  source.subscribe(({ status }) => {
    if (status !== 'ready') return
    source.getToken({ rejected: 'wyu_1' }).catch(() => {})
    abort.abort(new Error('mine'))
  })
  const seen = watch(source.getToken({ signal: abort.signal }))
  request(1).answer('wyu_1')
  await settle()
  expect(seen.error).toBe(abort.signal.reason)
})

describe('fetchToken calls the source while it is refreshed in the background', () => {
  const refreshing = async (act: (source: ReturnType<typeof byScript>['source']) => void) => {
    const world = byScript((n) => {
      if (n === 2) act(world.source)
      return token(n, 60)
    })
    await world.source.getToken()
    await pass(58 * SECOND)
    return world
  }

  test('close(): no timer is left', async () => {
    const { requests } = await refreshing((source) => source.close())
    expect(requests).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('clear(): no timer of the old token is left', async () => {
    const { requests } = await refreshing((source) => source.clear())
    expect(requests).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('getToken(): gets the current token and costs nothing', async () => {
    let inside: ReturnType<typeof watch> | undefined
    const { requests } = await refreshing((source) => {
      inside = watch(source.getToken())
    })
    expect(inside?.outcome).toBe('wyu_1')
    expect(requests).toHaveLength(2)
  })

  test('getToken() with the current token refused: waits for the same request', async () => {
    let inside: ReturnType<typeof watch> | undefined
    const { requests } = await refreshing((source) => {
      inside = watch(source.getToken({ rejected: 'wyu_1' }))
    })
    expect(inside?.outcome).toBe('wyu_2')
    expect(requests).toHaveLength(2)
  })
})
