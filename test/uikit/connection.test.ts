import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectWeavy, createTokenSource, type TokenSource, type WeavyLike } from '../../src/index.js'

const openSource = (user?: string | null) => {
  let issued = 0
  const source = createTokenSource({
    user,
    fetchToken: async () => {
      issued += 1
      return { access_token: `wyu_${user}_${issued}`, expires_in: 3600 }
    },
  })
  onTestFinished(source.close)
  return source
}

/** An instance that asks for tokens as the UIKit does, and counts what is done to its content. */
function createInstance(members: object = {}) {
  const sent: string[] = []
  const instance = {
    tokenFactory: undefined as WeavyLike['tokenFactory'],
    url: new URL('https://weavy.example'),
    sent,
    reset: vi.fn(async () => {}),
    disconnect: vi.fn(async () => {}),
    getToken: async (_refresh?: boolean) => 'wyu_own',
    async fetch(_path: string) {
      const token = await this.getToken()
      if (this.url) sent.push(token)
      return new Response('{}')
    },
    ...members,
  }
  return instance
}

const stubStorage = () => {
  const kept: Record<string, string> = {}
  const methods = {
    getItem: (key: string) => kept[key] ?? null,
    setItem: (key: string, value: string) => {
      kept[key] = value
    },
    removeItem: (key: string) => {
      delete kept[key]
    },
  }
  const storage = new Proxy(kept, {
    get: (_, name) => Reflect.get(methods, name),
  })
  vi.stubGlobal('sessionStorage', storage)
  return kept
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

test('an instance without getToken that was connected twice is restored', () => {
  vi.stubGlobal('reportError', vi.fn())
  const own = async () => 'wyu_own'
  const weavy: WeavyLike = { tokenFactory: own }
  const first = connectWeavy(openSource(), weavy)
  const second = connectWeavy(openSource(), weavy)
  first()
  expect(weavy.tokenFactory).not.toBe(own)
  second()
  expect(weavy).toEqual({ tokenFactory: own })
})

test('whoever disconnects twice ends its own connection only', () => {
  vi.stubGlobal('reportError', vi.fn())
  const own = async () => 'wyu_own'
  const weavy: WeavyLike = { tokenFactory: own }
  const source = openSource()
  const [first, second] = [connectWeavy(source, weavy), connectWeavy(source, weavy)]
  first()
  first()
  expect(weavy.tokenFactory).not.toBe(own)
  second()
  expect(weavy.tokenFactory).toBe(own)
})

test('whoever connects again to the same source shares the connection, which lasts until both have left', async () => {
  const weavy = createInstance()
  const source = openSource('alice')
  const [first, second] = [connectWeavy(source, weavy), connectWeavy(source, weavy)]
  second()
  expect(await weavy.getToken()).toBe('wyu_alice_1')
  first()
  expect(await weavy.getToken()).toBe('wyu_own')
})

test('a tokenFactory that the app set while connected is left to the app', () => {
  const weavy = createInstance()
  const disconnect = connectWeavy(openSource('alice'), weavy)
  const apps = async () => 'wyu_app'
  weavy.tokenFactory = apps
  disconnect()
  expect(weavy.tokenFactory).toBe(apps)
})

test('nothing is set on an instance that was destroyed meanwhile', () => {
  const weavy = createInstance({ isDestroyed: false })
  const disconnect = connectWeavy(openSource('alice'), weavy)
  Object.assign(weavy, { isDestroyed: true })
  const before = weavy.tokenFactory
  disconnect()
  expect(weavy.tokenFactory).toBe(before)
})

test('an instance without caches is switched, too, and a closed source keeps no timer', async () => {
  vi.useFakeTimers()
  stubStorage()
  const weavy = createInstance({ reset: undefined })
  const source = openSource('alice')
  connectWeavy(source, weavy as unknown as WeavyLike)
  source.setUser('bob')
  expect(await weavy.getToken()).toBe('wyu_alice_1')
  expect(vi.getTimerCount()).toBeGreaterThan(0)
  source.close()
  expect(vi.getTimerCount()).toBe(0)
})

test('connecting to a closed source says so, and changes nothing', () => {
  const source = openSource()
  source.close()
  const weavy = createInstance()
  const before = { ...weavy }
  expect(() => connectWeavy(source, weavy)).toThrow(/source is closed/)
  expect({ ...weavy }).toEqual(before)
})

describe('content is dropped, and the hub reconnects,', () => {
  const times = ({ reset, disconnect }: ReturnType<typeof createInstance>) => [
    reset.mock.calls.length,
    disconnect.mock.calls.length,
  ]

  test.each<[string, (source: ReturnType<typeof openSource>) => void]>([
    ['setUser', (source) => source.setUser('bob')],
    ['setUser(null)', (source) => source.setUser(null)],
    ['clear', (source) => source.clear()],
    ['close', (source) => source.close()],
  ])('once at %s', (_, end) => {
    const source = openSource('alice')
    const weavy = createInstance()
    connectWeavy(source, weavy)
    expect(times(weavy)).toEqual([0, 0])
    end(source)
    expect(times(weavy)).toEqual([1, 1])
  })

  test('not for a caller who leaves, nor when the same source connects again', async () => {
    const source = openSource('alice')
    const weavy = createInstance()
    const disconnect = connectWeavy(source, weavy)
    const abort = new AbortController()
    const call = source.getToken({ signal: abort.signal }).catch(() => {})
    abort.abort()
    await call
    disconnect()
    connectWeavy(source, weavy)
    expect(times(weavy)).toEqual([0, 0])
  })

  test('when the instance moves to another source, or was left over a switch', () => {
    const source = openSource('alice')
    const weavy = createInstance()
    connectWeavy(source, weavy)()
    source.setUser('bob')
    const disconnect = connectWeavy(source, weavy)
    expect(times(weavy)).toEqual([1, 1])
    disconnect()
    connectWeavy(openSource('bob'), weavy)
    expect(times(weavy)).toEqual([2, 2])
  })
})

test('what the instance began, and did not send before it moved to another source, fails with superseded', async () => {
  const mutation = {
    options: { mutationFn: async (): Promise<unknown> => 'sent' },
    setOptions: (options: { mutationFn(): Promise<unknown> }) => Object.assign(mutation, { options }),
  }
  const mutations = { getAll: () => [mutation], remove: () => {} }
  const queryClient = {
    getMutationCache: () => mutations,
    cancelQueries: async () => {},
    resetQueries: async () => {},
  }
  const weavy = createInstance({ queryClient })
  connectWeavy(openSource('alice'), weavy)
  connectWeavy(openSource('bob'), weavy)
  await expect(mutation.options.mutationFn()).rejects.toMatchObject({ code: 'superseded' })
})

test('a source that a listener closes while it switches gives the instance back', async () => {
  const source = openSource('alice')
  const weavy = createInstance()
  const { getToken } = weavy
  source.subscribe(() => source.close())
  connectWeavy(source, weavy)
  source.setUser('bob')
  await source.getToken().catch(() => {})
  expect(weavy.getToken).toBe(getToken)
  expect(weavy.disconnect).toHaveBeenCalled()
})

test('a source that a neighbour closes while it switches gives the instance back', () => {
  const source = openSource('alice')
  connectWeavy(source, createInstance({ reset: async () => source.close() }))
  const weavy = createInstance()
  const { getToken } = weavy
  connectWeavy(source, weavy)
  source.setUser('bob')
  expect(weavy.getToken).toBe(getToken)
})

test('a call that the UIKit never settles is over with its user', async () => {
  const source = openSource('alice')
  const never = vi.fn(() => new Promise(() => {}))
  const weavy = createInstance({
    async fetch(this: WeavyLike) {
      await this.getToken?.()
      return never()
    },
  })
  connectWeavy(source, weavy)
  const outcome = expect(weavy.fetch('/api/user')).rejects.toMatchObject({ code: 'superseded' })
  await vi.waitFor(() => expect(never).toHaveBeenCalled())
  source.setUser('bob')
  await outcome
})

test('a destroyed instance is connected no more, and destroyed as it destroys itself', async () => {
  const source = openSource('alice')
  const destroy = vi.fn(function (this: { isDestroyed: boolean }) {
    this.isDestroyed = true
  })
  const weavy = createInstance({ destroy, isDestroyed: false }) as ReturnType<typeof createInstance> & {
    destroy(): void
  }
  const { getToken, fetch } = weavy
  connectWeavy(source, weavy)
  expect(weavy.getToken).not.toBe(getToken)
  weavy.destroy()
  expect(weavy).toMatchObject({ isDestroyed: true, destroy, getToken, fetch })
  source.setUser('bob')
  expect(weavy.disconnect).not.toHaveBeenCalled()
})

test('nothing is added to an instance that it does not have', () => {
  const weavy = createInstance()
  const names = Object.keys(weavy)
  connectWeavy(openSource('alice'), weavy)
  expect(Object.keys(weavy)).toEqual(names)
})

describe('content that an earlier page left in sessionStorage', () => {
  const CONTENT = 'WEAVY_QUERY_OFFLINE_CACHE'
  const visit = async (user: string | null | undefined) => {
    vi.useFakeTimers()
    const weavy = createInstance()
    const disconnect = connectWeavy(openSource(user), weavy)
    await vi.advanceTimersByTimeAsync(3000)
    disconnect()
    return weavy.reset.mock.calls.length
  }

  test.each<[string, string | null | undefined, string | null | undefined, boolean]>([
    ['is kept for the same user', 'alice', 'alice', true],
    ['is dropped for another', 'alice', 'bob', false],
    ['is dropped for nobody', 'alice', null, false],
    ['is dropped when it was nobody’s', null, null, false],
    ['is kept while the broker decides', undefined, undefined, true],
    ['is dropped when a user is named', undefined, 'alice', false],
  ])('%s', async (_, before, after, isKept) => {
    const kept = stubStorage()
    expect(await visit(before)).toBe(0)
    kept[CONTENT] = 'hers'
    kept['of the app'] = 'stays'
    expect(await visit(after)).toBe(isKept ? 0 : 1)
    expect([kept[CONTENT], kept['of the app']]).toEqual([isKept ? 'hers' : undefined, 'stays'])
  })

  test('is dropped when nobody knows whose it is, also what the UIKit writes a second late', async () => {
    vi.useFakeTimers()
    const kept = stubStorage()
    kept[CONTENT] = 'somebody’s'
    const source = openSource('alice')
    connectWeavy(source, createInstance())
    expect(kept[CONTENT]).toBeUndefined()
    kept[CONTENT] = 'written late'
    await vi.advanceTimersByTimeAsync(2000)
    expect(kept[CONTENT]).toBeUndefined()
    source.setUser('bob')
    kept[CONTENT] = 'written late'
    await vi.advanceTimersByTimeAsync(2000)
    expect(kept[CONTENT]).toBeUndefined()
    expect(JSON.stringify(kept)).not.toMatch(/alice|bob/)
  })

  test.each([
    [undefined, 1200],
    [5000, 5200],
  ])('is dropped as late as the UIKit writes it: a staleTime of %s', async (staleTime, ms) => {
    vi.useFakeTimers()
    const kept = stubStorage()
    const source = openSource('alice')
    connectWeavy(source, createInstance({ staleTime }))
    source.setUser('bob')
    await vi.advanceTimersByTimeAsync(ms)
    kept[CONTENT] = 'written late'
    await vi.advanceTimersByTimeAsync(100)
    expect(kept[CONTENT]).toBeUndefined()
    kept[CONTENT] = 'bob’s'
    await vi.advanceTimersByTimeAsync(10_000)
    expect(kept[CONTENT]).toBe('bob’s')
  })

  test.each([
    ['is dropped again where a version without reset() has restored it', false, 2],
    ['is left alone after disconnect()', true, 1],
  ])('%s', async (_, isLeft, times) => {
    const kept = stubStorage()
    kept[CONTENT] = 'somebody’s'
    const cancelQueries = vi.fn(async () => {})
    const getMutationCache = () => ({ getAll: () => [], remove() {} })
    const queryClient = { cancelQueries, resetQueries: async () => {}, getMutationCache }
    const disconnect = connectWeavy(
      openSource('alice'),
      createInstance({ reset: undefined, queryClient }) as unknown as WeavyLike,
    )
    for (let microtasks = 0; microtasks < 15; microtasks++) await undefined
    expect(cancelQueries).toHaveBeenCalledTimes(1)
    if (isLeft) disconnect()
    for (let microtasks = 0; microtasks < 15; microtasks++) await undefined
    expect(cancelQueries).toHaveBeenCalledTimes(times)
    disconnect()
  })

  test('a storage that is blocked hinders nothing', async () => {
    const blocked = new Proxy(
      {},
      {
        get: () => {
          throw new Error('blocked')
        },
        ownKeys: () => {
          throw new Error('blocked')
        },
      },
    )
    vi.stubGlobal('sessionStorage', blocked)
    const weavy = createInstance()
    connectWeavy(openSource('alice'), weavy)
    expect((await weavy.fetch('/api/user')).status).toBe(200)
  })
})

describe('the self-check', () => {
  const connectedWith = (members: object) => {
    const reportError = vi.fn()
    vi.stubGlobal('reportError', reportError)
    const weavy = createInstance(members)
    connectWeavy(openSource('alice'), weavy)
    return { weavy, reportError }
  }

  test('an instance whose fetch uses a private member answers every call, and says so once', async () => {
    class Private {
      #sent: string[] = []
      tokenFactory = undefined
      getToken = async () => 'wyu_own'
      async fetch(_: string) {
        this.#sent.push(await this.getToken())
        return new Response(this.#sent.at(-1))
      }
    }
    class PrivateFirst extends Private {
      #calls = 0
      override async fetch(path: string) {
        this.#calls += 1
        return super.fetch(path)
      }
    }
    for (const Instance of [Private, PrivateFirst]) {
      const reportError = vi.fn()
      vi.stubGlobal('reportError', reportError)
      const weavy = new Instance()
      connectWeavy(openSource('alice'), weavy)
      for (let n = 0; n < 3; n++) expect(await (await weavy.fetch('/')).text()).toBe('wyu_alice_1')
      expect(reportError).toHaveBeenCalledTimes(1)
    }
  })

  test('one that does not reach its token through this falls back, and says so once', async () => {
    const { weavy, reportError } = connectedWith({})
    const bound = createInstance()
    bound.fetch = bound.fetch.bind(bound)
    connectWeavy(openSource('alice'), bound)
    for (let n = 0; n < 3; n++) expect((await bound.fetch('/')).status).toBe(200)
    expect(bound.sent).toEqual(Array(3).fill('wyu_alice_1'))
    expect(reportError).toHaveBeenCalledTimes(1)
    expect((await weavy.fetch('/')).status).toBe(200)
    expect(reportError).toHaveBeenCalledTimes(1)
  })

  test('a mistake of the caller’s is the caller’s, and no reason to fall back', async () => {
    const { weavy, reportError } = connectedWith({
      async fetch(path: string) {
        return new Response(new URL(path).href)
      },
    })
    await expect(weavy.fetch('no url')).rejects.toThrow(TypeError)
    expect(reportError).not.toHaveBeenCalled()
  })

  test.each([undefined, null, 'offline', new Error('offline')])(
    'what a method throws is thrown, and it is not called again (%s)',
    async (thrown) => {
      const fetch = vi.fn(async () => {
        throw thrown
      })
      const { weavy, reportError } = connectedWith({ fetch })
      await expect(weavy.fetch('/').catch((error) => ({ error }))).resolves.toEqual({ error: thrown })
      expect(fetch).toHaveBeenCalledTimes(1)
      expect(reportError).not.toHaveBeenCalled()
    },
  )

  test('a method that resolves with nothing resolves with nothing', async () => {
    const fetch = vi.fn(async function (this: WeavyLike) {
      await this.getToken?.()
    })
    const { weavy, reportError } = connectedWith({ fetch })
    expect(await weavy.fetch('/')).toBeUndefined()
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(reportError).not.toHaveBeenCalled()
  })

  test('a request is made with the arguments that it was given, and no more', async () => {
    const fetch = vi.fn(async function (this: WeavyLike, ..._args: unknown[]) {
      await this.getToken?.()
    })
    const { weavy } = connectedWith({ fetch })
    await (weavy as WeavyLike).fetch?.('/', { method: 'POST' })
    expect(fetch.mock.calls).toEqual([['/', { method: 'POST' }]])
  })

  test('is silent where there is nobody to tell', () => {
    vi.stubGlobal('reportError', undefined)
    expect(() => connectWeavy(openSource('alice'), { tokenFactory: undefined })).not.toThrow()
  })

  test('a request that failed on the network is not sent twice', async () => {
    const fetch = vi.fn(async () => {
      throw new TypeError('Failed to fetch')
    })
    vi.stubGlobal('fetch', fetch)
    const { weavy, reportError } = connectedWith({
      async fetchOptions() {
        return { headers: { Authorization: `Bearer ${await (this as unknown as WeavyLike).getToken?.()}` } }
      },
      getToken: async () => 'wyu_own',
      async fetch(path: string) {
        // biome-ignore lint/suspicious/noExplicitAny: as the UIKit has it
        return globalThis.fetch(path, { ...(await (this as any).fetchOptions()) })
      },
    })
    await expect(weavy.fetch('/')).rejects.toThrow('Failed to fetch')
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(reportError).not.toHaveBeenCalled()
  })
})

describe('who can be connected', () => {
  test.each(['weavy', 'weavyContext'])('an element that holds its instance as %s', async (name) => {
    const weavy = createInstance()
    const disconnect = connectWeavy(openSource('alice'), { tokenFactory: null, [name]: weavy })
    expect(await weavy.getToken()).toBe('wyu_alice_1')
    disconnect()
    expect(await weavy.getToken()).toBe('wyu_own')
  })

  test.each([
    ['UIKit-React 19', { ...createInstance(), tokenFactoryInternal: async () => '' }],
    ['dropin-js', { tokenFactory: undefined, environment: {} }],
  ])('the client of %s is refused with the reason', (_, weavy) => {
    expect(() => connectWeavy(openSource(), weavy)).toThrow(/tokenFactory/)
  })
})

describe('a token that the UIKit asked for itself, for a request that began before it was connected', () => {
  /** Keeps a token as the UIKit does, until it is asked for another one. */
  const keepingInstance = (tokenFactory?: WeavyLike['tokenFactory']) => {
    let kept = ''
    let pending: Promise<string> | undefined
    return createInstance({
      tokenFactory,
      async getToken(this: WeavyLike, refresh = false) {
        if (kept && !refresh) return kept
        // Whoever asks meanwhile is given the same answer.
        pending ??= Promise.resolve().then(async () => (await this.tokenFactory?.(refresh)) ?? '')
        kept = await pending
        pending = undefined
        if (!kept) throw new TypeError('Could not get a valid token from tokenFactory.')
        return kept
      },
    })
  }
  const ends = {
    'close()': (source: TokenSource) => source.close(),
    'disconnect()': (_: TokenSource, disconnect: () => void) => disconnect(),
  }

  test.each(Object.entries(ends))('is not sent after %s', async (_, end) => {
    const weavy = keepingInstance()
    const early = weavy.fetch('/early')
    const source = openSource('alice')
    const disconnect = connectWeavy(source, weavy)
    await early
    end(source, disconnect)
    await expect(weavy.fetch('/late')).rejects.toThrow(TypeError)
    expect(weavy.sent).toEqual(['wyu_alice_1'])
  })

  test('gives way to one of the instance’s own factory, which is asked for it once', async () => {
    let issued = 0
    const own = vi.fn(async (_: boolean) => `wyu_own_${++issued}`)
    const weavy = keepingInstance(own)
    const early = weavy.fetch('/early')
    const disconnect = connectWeavy(openSource('alice'), weavy)
    await early
    disconnect()
    await weavy.fetch('/late')
    await weavy.fetch('/later')
    expect(weavy.sent).toEqual(['wyu_alice_1', 'wyu_own_1', 'wyu_own_1'])
    expect(own.mock.calls).toEqual([[true]])
  })

  test('is not sent after disconnect() while it was on its way, whoever asked meanwhile', async () => {
    const weavy = keepingInstance()
    let answer = () => {}
    const arrived = new Promise<void>((resolve) => {
      answer = resolve
    })
    const source = createTokenSource({
      fetchToken: async () => {
        await arrived
        return { access_token: 'wyu_alice' }
      },
    })
    onTestFinished(source.close)
    const early = weavy.fetch('/early')
    const disconnect = connectWeavy(source, weavy)
    await undefined
    disconnect()
    weavy.tokenFactory = async () => 'wyu_bob'
    const meanwhile = [weavy.fetch('/meanwhile'), weavy.fetch('/meanwhile')]
    answer()
    await Promise.all([early, ...meanwhile])
    await weavy.fetch('/late')
    expect(weavy.sent).toEqual(['wyu_alice', 'wyu_bob', 'wyu_bob', 'wyu_bob'])
  })

  test('leaves no more behind when that happened fifty times than once', async () => {
    const source = openSource('alice')
    /** How many microtasks getToken() takes after that many connections. */
    const ticksAfter = async (connections: number) => {
      const weavy = keepingInstance(async () => 'wyu_own')
      for (let n = 0; n < connections; n++) {
        const early = weavy.fetch('/early')
        const disconnect = connectWeavy(source, weavy)
        await early
        disconnect()
      }
      let isOver = false
      const token = weavy.getToken().finally(() => {
        isOver = true
      })
      let count = 0
      for (; !isOver; count++) await undefined
      expect(await token).toBe('wyu_own')
      return count
    }
    expect(await ticksAfter(50)).toBe(await ticksAfter(1))
  })
})

describe('a method that the app wrapped while it was connected', () => {
  const wrapped = (name: 'fetch' | 'getToken') => {
    const weavy = createInstance()
    const alices = openSource('alice')
    const disconnect = connectWeavy(alices, weavy)
    const inner = weavy[name] as (...args: unknown[]) => Promise<never>
    Object.assign(weavy, { [name]: (...args: unknown[]) => inner.apply(weavy, args) })
    return { weavy, alices, disconnect }
  }

  test.each(['fetch', 'getToken'] as const)(
    '%s sends no token of that connection after disconnect()',
    async (name) => {
      const { weavy, disconnect } = wrapped(name)
      disconnect()
      await weavy.fetch('/late')
      expect(weavy.sent).toEqual(['wyu_own'])
    },
  )

  test.each(['fetch', 'getToken'] as const)('%s sends as whoever is connected next', async (name) => {
    vi.stubGlobal('reportError', () => {})
    const { weavy, alices } = wrapped(name)
    connectWeavy(openSource('bob'), weavy)
    await weavy.fetch('/later')
    alices.close()
    await weavy.fetch('/last')
    expect(weavy.sent).toEqual(['wyu_bob_1', 'wyu_bob_1'])
  })
})
