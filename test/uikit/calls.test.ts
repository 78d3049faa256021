import { getEventListeners } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TokenSource } from '../../src/index.js'
import { internalsOf } from '../../src/internals.js'
import { UIKITS } from './real-client.js'
import { createWorld, outcomeOf } from './world.js'

const SECOND = 1000

describe.each(UIKITS)('the requests of %s', (uikit) => {
  test.each([1, 3, 20])(
    '%i at once with a dead token in the broker’s store are all answered after one refresh',
    async (count) => {
      const world = createWorld()
      world.issue('alice')
      world.revokeAll()
      const weavy = world.instance(uikit)
      const calls = [...Array(count)].map((_, n) => outcomeOf(weavy.fetch(`/api/apps/${n}?delay=${n * 50}`)))
      await world.pass(5 * SECOND)
      expect(await Promise.all(calls)).toEqual(Array(count).fill(200))
      expect(world.refreshes).toBe(1)
    },
  )

  test('a refusal 20 s late costs no refresh and hits no other token', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    const late = outcomeOf(weavy.fetch('/api/late?delay=20000&judge=late'))
    await world.pass(0)
    world.revokeAll()
    const early = outcomeOf(weavy.fetch('/api/early'))
    await world.pass(19 * SECOND)
    expect([await early, world.refreshes]).toEqual([200, 1])
    await world.pass(21 * SECOND)
    expect([await late, world.refreshes, world.alive.size]).toEqual([200, 1, 1])
  })

  test('an upload whose token is refused is sent again whole, once', async () => {
    const world = createWorld()
    world.issue('alice')
    world.revokeAll()
    const weavy = world.instance(uikit)
    const call = outcomeOf(weavy.upload('/api/blobs', 'POST', 'file'))
    await world.pass(SECOND)
    expect(await call).toBe(200)
    expect(world.seen.map(({ status }) => status)).toEqual([401, 200])
  })

  test('an upload is sent twice at most, also beside what is forbidden', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    world.forbid('/api/secret')
    void outcomeOf(weavy.fetch('/api/secret'))
    await world.pass(SECOND)
    world.revokeAll()
    const call = outcomeOf(weavy.upload('/api/blobs', 'POST', 'file'))
    await world.pass(SECOND)
    expect(await call).toBe(200)
    expect(
      world.seen.filter(({ path }) => path.startsWith('/api/blobs')).map(({ status }) => status),
    ).toEqual([401, 200])
  })

  describe('after a 403', () => {
    const forbiddenPoll = async () => {
      const world = createWorld()
      const weavy = world.instance(uikit)
      world.forbid('/api/secret')
      const poll = async (ms = 1) => {
        const call = outcomeOf(weavy.fetch(`/api/secret?t=${performance.now()}`))
        await world.pass(ms)
        return call
      }
      return { world, weavy, poll }
    }

    test.each([
      [59, 1],
      [119, 2],
    ])('the same resource, polled for %i seconds, costs a refresh a minute', async (seconds, refreshes) => {
      const { world, poll } = await forbiddenPoll()
      for (let n = 0; n < seconds; n++) {
        expect(await poll()).toBe(403)
        await world.pass(SECOND)
      }
      expect(world.refreshes).toBe(refreshes)
    })

    describe('with a broker that keeps its token whatever is asked', () => {
      test('the token lives on, and nobody else notices', async () => {
        const { world, weavy, poll } = await forbiddenPoll()
        world.ignoresRefresh = true
        const others: Promise<unknown>[] = []
        for (let n = 0; n < 150; n++) {
          others.push(outcomeOf(weavy.fetch(`/api/user?n=${n}`)))
          expect(await poll()).toBe(403)
          await world.pass(SECOND)
        }
        expect(await Promise.all(others)).toEqual(Array(150).fill(200))
        expect(world.refreshes).toBe(3)
        expect(world.source.getState().status).toBe('ready')
      })

      test('nor while broker and Weavy take their time, or with five at once', async () => {
        const { world, weavy } = await forbiddenPoll()
        world.ignoresRefresh = true
        world.brokerMs = 500
        const calls = [...Array(5)].map(() => outcomeOf(weavy.fetch('/api/secret?delay=300')))
        await world.pass(1000)
        const other = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(3 * SECOND)
        expect(await other).toBe(200)
        expect(await Promise.all(calls)).toEqual(Array(5).fill(403))
        expect(world.refreshes).toBeLessThanOrEqual(2)
      })

      test('nor while an earlier token, which is still on its way, is accepted', async () => {
        const { world, weavy } = await forbiddenPoll()
        const slow = outcomeOf(weavy.fetch('/api/slow?delay=500'))
        await world.pass(0)
        void world.source.getToken({ rejected: 'wyu_1' })
        await world.pass(0)
        world.ignoresRefresh = true
        world.brokerMs = 100
        const call = outcomeOf(weavy.fetch('/api/secret?delay=300'))
        await world.pass(750)
        expect([await slow, await call, world.source.getState().status]).toEqual([200, 403, 'ready'])
      })

      test('a dead token is told as such, and tried no more', async () => {
        const { world, weavy } = await forbiddenPoll()
        world.ignoresRefresh = true
        await world.source.getToken()
        world.revokeAll()
        const calls = [1, 2].map((n) => outcomeOf(weavy.fetch(`/api/user?n=${n}`)))
        await world.pass(20 * SECOND)
        expect(await Promise.all(calls)).toEqual(['rejected', 'rejected'])
        const tried = world.seen.length
        expect(tried).toBeLessThanOrEqual(4)
        const later = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(SECOND)
        expect([await later, world.seen.length]).toEqual(['rejected', tried])
      })

      test('after a switch nothing of it is left', async () => {
        const { world, weavy } = await forbiddenPoll()
        world.ignoresRefresh = true
        world.brokerMs = 500
        const hers = outcomeOf(weavy.fetch('/api/secret?delay=300'))
        await world.pass(1500)
        world.source.setUser('bob')
        const his = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(3 * SECOND)
        expect([await hers, await his]).toEqual(['superseded', 200])
        expect(world.seen.filter(({ path }) => path === '/api/user').map(({ user }) => user)).toEqual(['bob'])
      })
    })

    test('five at once cost one refresh', async () => {
      const { world, weavy } = await forbiddenPoll()
      const calls = [0, 10, 25, 40, 55].map(async (ms) => {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return outcomeOf(weavy.fetch('/api/secret?delay=30'))
      })
      await world.pass(SECOND)
      expect(await Promise.all(calls)).toEqual(Array(5).fill(403))
      expect(world.refreshes).toBe(1)
    })

    test('a revocation heals other resources, and the next request to that one', async () => {
      const { world, weavy, poll } = await forbiddenPoll()
      expect(await poll()).toBe(403)
      world.revokeAll()
      expect(await poll(2 * SECOND)).toBe(403)
      expect([world.refreshes, world.alive.size]).toEqual([2, 1])
      world.revokeAll()
      const other = outcomeOf(weavy.fetch('/api/user'))
      await world.pass(2 * SECOND)
      expect(await other).toBe(200)
    })

    test.each([8, 50])(
      '%i resources, one after the other, cost one refresh, and everything else keeps working',
      async (count) => {
        const { world, weavy } = await forbiddenPoll()
        for (let n = 0; n < count; n++) world.forbid(`/api/apps/${n}`)
        for (let n = 0; n < count; n++) {
          const call = outcomeOf(weavy.fetch(`/api/apps/${n}`))
          await world.pass(100)
          expect(await call).toBe(403)
        }
        const other = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(SECOND)
        expect(await other).toBe(200)
        expect(world.refreshes).toBe(1)
        // A token that has died since is replaced all the same.
        world.revokeAll()
        const healed = [outcomeOf(weavy.fetch('/api/apps/1')), outcomeOf(weavy.fetch('/api/user'))]
        await world.pass(SECOND)
        expect([await Promise.all(healed), world.refreshes]).toEqual([[403, 200], 2])
      },
    )

    test('a request that is refused late, and answered when it is sent again, makes the next one cost no other refresh', async () => {
      const { world, weavy, poll } = await forbiddenPoll()
      await world.source.getToken()
      const late = outcomeOf(weavy.fetch('/api/late?delay=2000&judge=late'))
      await world.pass(0)
      world.revokeAll()
      expect(await poll(SECOND)).toBe(403)
      await world.pass(4 * SECOND)
      expect(await late).toBe(200)
      world.forbid('/api/other')
      const other = outcomeOf(weavy.fetch('/api/other'))
      await world.pass(SECOND)
      expect([await other, world.refreshes]).toEqual([403, 1])
    })

    test('what was healed is refused and healed again, with no request more', async () => {
      const { world, weavy } = await forbiddenPoll()
      for (let n = 0; n < 2; n++) {
        await world.source.getToken()
        world.revokeAll()
        const call = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(10 * SECOND)
        expect(await call).toBe(200)
      }
      expect(world.seen.map(({ status }) => status)).toEqual([401, 200, 401, 200])
    })

    test('another request to that resource does not wait for the slow one that found out', async () => {
      const { world, weavy } = await forbiddenPoll()
      const slow = outcomeOf(weavy.fetch('/api/secret?delay=30000'))
      await world.pass(31 * SECOND)
      const quick = outcomeOf(weavy.fetch('/api/secret'))
      await world.pass(SECOND)
      expect([world.refreshes, await quick]).toEqual([1, 403])
      await world.pass(60 * SECOND)
      expect(await slow).toBe(403)
    })

    test('another method of its path is looked into when the token is new, and however it is asked for, the same is not', async () => {
      const { world, weavy } = await forbiddenPoll()
      vi.spyOn(console, 'warn').mockImplementation(() => {})
      onTestFinished(() => void vi.restoreAllMocks())
      const calls = {
        nothing: () => weavy.fetch('/api/secret'),
        method: () => weavy.fetch('/api/secret?page=2', { method: 'GET' }),
        options: () => weavy.fetch('/api/secret#top', { cache: 'reload' }),
        remove: () => weavy.fetch('/api/secret', { method: 'DELETE' }),
        get: () => weavy.get('/api/secret'),
        post: () => weavy.post('/api/secret', 'PATCH'),
        'post again': () => weavy.post('/api/secret', 'PUT'),
      }
      const costs: Record<string, number> = {}
      for (const [name, call] of Object.entries(calls)) {
        // A token that was good for no 403 yet.
        world.revokeAll()
        const other = outcomeOf(weavy.fetch('/api/user'))
        await world.pass(10 * SECOND)
        expect(await other).toBe(200)
        const before = world.refreshes
        const outcome = outcomeOf(call())
        await world.pass(SECOND)
        expect(await outcome).toBe(403)
        costs[name] = world.refreshes - before
      }
      expect(costs).toEqual({
        nothing: 1,
        method: 0,
        options: 0,
        remove: 1,
        get: 0,
        post: 1,
        'post again': 1,
      })
    })

    test('another user’s first 403 is looked into again', async () => {
      const { world, poll } = await forbiddenPoll()
      await poll()
      world.source.setUser('bob')
      await poll()
      expect(world.refreshes).toBe(2)
    })
  })

  describe('a resource that answers 401 to living tokens', () => {
    const withOdd = () => {
      const world = createWorld()
      const weavy = world.instance(uikit)
      const ask = async (path: string, ms = SECOND / 2) => {
        const call = outcomeOf(weavy.fetch(path))
        await world.pass(ms)
        return Promise.race([call, 'waits'])
      }
      world.forbid('/api/odd', 401)
      return { world, weavy, ask }
    }

    test('polled for a minute costs two refreshes, and everything else is answered', async () => {
      const { world, ask } = withOdd()
      for (let n = 0; n < 59; n++) expect([await ask('/api/odd'), await ask('/api/user')]).toEqual([401, 200])
      expect(world.refreshes).toBe(2)
      // Four times to find out, later as often as the UIKit itself sends it.
      expect(world.seen.filter(({ path }) => path === '/api/odd').length).toBe(4 + 58 * 2)
    })

    test('is not sent again when the second refresh fails', async () => {
      const { world, weavy } = withOdd()
      const call = outcomeOf(weavy.fetch('/api/odd?delay=100'))
      await world.pass(150)
      world.isBrokerDown = true
      await world.pass(30 * SECOND)
      expect(await call).toBe(401)
      expect(world.seen.map(({ status }) => status)).toEqual([401, 401])
    })

    test('is none that was answered with the third token', async () => {
      const { world, weavy, ask } = withOdd()
      const call = outcomeOf(weavy.fetch('/api/odd?delay=100'))
      await world.pass(150)
      world.forbid('/api/odd', 200)
      await world.pass(SECOND)
      expect([await call, await ask('/api/user')]).toEqual([200, 200])
      world.revokeAll()
      expect(await ask('/api/odd')).toBe(200)
    })

    test('is not believed because another request was answered with 400', async () => {
      const { world, ask } = withOdd()
      world.forbid('/api/apps', 400)
      for (let n = 0; n < 2; n++)
        expect([await ask('/api/odd', 9 * SECOND), await ask('/api/apps')]).toEqual([401, 400])
      expect(world.refreshes).toBe(4)
    })

    test('and another one, in turns, cost two refreshes each', async () => {
      const { world, ask } = withOdd()
      world.forbid('/api/odder', 401)
      for (let n = 0; n < 39; n++)
        expect([await ask('/api/odd'), await ask('/api/user'), await ask('/api/odder')]).toEqual([
          401, 200, 401,
        ])
      expect(world.refreshes).toBe(4)
    })

    test('and another and another: nobody is told that the tokens are rejected', async () => {
      const { world, ask } = withOdd()
      for (let n = 0; n < 8; n++) {
        world.forbid(`/api/apps/${n}`, 401)
        await ask(`/api/apps/${n}`)
        await world.pass(3 * SECOND)
        expect(await ask('/api/user')).toBe(200)
      }
    })

    test('is healed like any other as soon as it has been answered', async () => {
      const { world, ask } = withOdd()
      expect(await ask('/api/odd')).toBe(401)
      world.forbid('/api/odd', 200)
      expect(await ask('/api/odd')).toBe(200)
      world.revokeAll()
      expect(await ask('/api/odd')).toBe(200)
    })

    test('is not what a resource is that was given three dead tokens: the next call of it is healed', async () => {
      const { world, weavy } = withOdd()
      const paths = ['/api/user', '/api/apps', '/api/files']
      for (const path of paths) world.forbid(path, 401)
      const all = async () => {
        const calls = Promise.all(paths.map((path) => outcomeOf(weavy.fetch(path))))
        await world.pass(5 * SECOND)
        return calls
      }
      expect(await all()).toEqual([401, 401, 401])
      world.revokeAll()
      for (const path of paths) world.forbid(path, 200)
      expect(await all()).toEqual([200, 200, 200])
    })

    test('is looked into again after a minute, however often it is asked for', async () => {
      const { world, ask } = withOdd()
      for (let n = 0; n < 7; n++) {
        expect([await ask('/api/odd'), await ask('/api/user')]).toEqual([401, 200])
        await world.pass(8 * SECOND)
      }
      world.forbid('/api/odd', 200)
      world.revokeAll()
      expect(await ask('/api/odd')).toBe(200)
    })
  })

  describe('belong to the user for whom they began', () => {
    const ends: Record<string, (source: TokenSource) => void> = {
      "setUser('bob')": (source) => source.setUser('bob'),
      'setUser(null)': (source) => source.setUser(null),
      'clear()': (source) => source.clear(),
    }
    const sends = {
      fetch: (weavy: ReturnType<ReturnType<typeof createWorld>['instance']>) =>
        weavy.fetch('/api/messages?delay=100&judge=late', { method: 'POST', body: '{}' }),
      upload: (weavy: ReturnType<ReturnType<typeof createWorld>['instance']>) =>
        weavy.upload('/api/blobs?delay=100&judge=late', 'POST', 'file'),
    }
    for (const [end, run] of Object.entries(ends))
      for (const [kind, send] of Object.entries(sends)) {
        test(`${kind}, ${end} at any microtask: superseded, and sent by nobody else`, async () => {
          for (let microtasks = 0; microtasks < 40; microtasks++) {
            const world = createWorld()
            if (microtasks % 2) await world.source.getToken()
            const weavy = world.instance(uikit)
            const call = outcomeOf(send(weavy))
            for (let n = 0; n < microtasks; n++) await undefined
            run(world.source)
            const before = world.seen.length
            await world.pass(SECOND)
            expect(await call).toBe('superseded')
            expect(world.seen.length).toBe(before)
            expect(weavy.networkStateIsPending).toBe(false)
            world.source.close()
          }
        })

        test.each([401, 403])(
          `${kind}, ${end} before a %i comes: superseded, and not sent again`,
          async (status) => {
            const world = createWorld()
            const weavy = world.instance(uikit)
            const call = outcomeOf(send(weavy))
            await world.pass(50)
            if (status === 401) world.revokeAll()
            else for (const path of ['/api/messages', '/api/blobs']) world.forbid(path)
            run(world.source)
            await world.pass(SECOND)
            expect(await call).toBe('superseded')
            expect(world.seen.map(({ user }) => user)).toEqual(['alice'])
            expect(world.refreshes).toBe(0)
            expect(weavy.networkStateIsPending).toBe(false)
            expect(weavy.serverState).toBe('ok')
          },
        )
      }
  })

  test.each([true, false])(
    'an upload of the app’s own may carry the flag that some versions know (%s)',
    async (retry) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      onTestFinished(() => void process.off('unhandledRejection', unhandled))
      const world = createWorld()
      world.issue('alice')
      const weavy = world.instance(uikit)
      const hasFlag = uikit === 'uikit-web-25' || uikit === 'uikit-web-27'
      const rest = hasFlag ? [undefined, undefined, retry] : []
      const call = outcomeOf(weavy.upload('/api/blobs', 'POST', 'file', ...rest))
      await world.pass(SECOND)
      expect(await call).toBe(200)
      world.revokeAll()
      const refused = outcomeOf(weavy.upload('/api/blobs', 'POST', 'file', ...rest))
      await world.pass(SECOND)
      expect(await refused).toBe(hasFlag && !retry ? 401 : 200)
      world.source.setUser('bob')
      await world.pass(SECOND)
      vi.useRealTimers()
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).not.toHaveBeenCalled()
    },
  )

  test('an upload ends on the wire with its user, where the version can end one', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    const call = outcomeOf(weavy.upload('/api/blobs?delay=1000', 'POST', 'file'))
    await world.pass(SECOND / 2)
    world.source.setUser('bob')
    await world.pass(SECOND)
    expect(await call).toBe('superseded')
    const cannotAbort = uikit === 'uikit-web-25' || uikit === 'uikit-web-27'
    expect(world.seen.map(({ status }) => status)).toEqual([cannotAbort ? 200 : 0])
  })

  test('what they write of the instance is written', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    weavy.serverState = 'unknown'
    const call = outcomeOf(weavy.fetch('/api/user?delay=100'))
    await world.pass(50)
    expect(weavy.networkStateIsPending).toBe(true)
    await world.pass(SECOND)
    expect([await call, weavy.networkStateIsPending, weavy.serverState]).toEqual([200, false, 'ok'])
  })

  test('options without a token are the UIKit’s own', async () => {
    const reportError = vi.fn()
    const world = createWorld()
    vi.stubGlobal('reportError', reportError)
    const weavy = world.instance(uikit)
    const options = await weavy.fetchOptions({ method: 'PUT' }, false)
    expect(options).toMatchObject({ method: 'PUT' })
    expect(options.signal).toBeUndefined()
    expect(new Headers(options.headers).has('authorization')).toBe(false)
    expect(reportError).not.toHaveBeenCalled()
  })

  test('leave no listener on the session', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    const { signal } = internalsOf(world.source).session()
    const before = getEventListeners(signal, 'abort').length
    for (const call of [weavy.fetch('/api/user'), weavy.upload('/api/blobs', 'POST', 'file')]) {
      const outcome = outcomeOf(call)
      await world.pass(SECOND)
      expect(await outcome).toBe(200)
    }
    expect(getEventListeners(signal, 'abort').length).toBe(before)
  })

  test('onRefused is told 401 or 403, as Weavy said', async () => {
    const onRefused = vi.fn()
    const world = createWorld({ onRefused })
    world.issue('alice')
    world.revokeAll()
    world.forbid('/api/secret')
    const weavy = world.instance(uikit)
    void outcomeOf(weavy.fetch('/api/user'))
    await world.pass(SECOND)
    void outcomeOf(weavy.fetch('/api/secret'))
    await world.pass(2 * SECOND)
    expect(onRefused.mock.calls).toEqual([[{ status: 401, from: 'uikit' }], [{ status: 403, from: 'uikit' }]])
  })

  test('a signal of the caller’s still aborts, also beside the one of the session', async () => {
    const world = createWorld()
    const weavy = world.instance(uikit)
    const abort = new AbortController()
    const call = weavy.fetch('/api/user?delay=1000', { signal: abort.signal })
    call.catch(() => {})
    await world.pass(10)
    abort.abort(new Error('left'))
    await expect(call).rejects.toThrow('left')
  })
})
