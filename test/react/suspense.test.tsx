import { act, render, screen } from '@testing-library/react'
import * as React from 'react'
import {
  type ReactElement,
  type ReactNode,
  StrictMode,
  Suspense,
  useEffect,
  useLayoutEffect,
  useState,
} from 'react'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { FetchToken, TokenSource } from 'weavy-token'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { ownSource } from '../../src/react/own-source.js'
import {
  allowComplaints,
  answered,
  Boundary,
  createBroker,
  createProbe,
  HOUR_S,
  settle,
  watchTests,
} from './harness.js'

watchTests()

const MINUTE = 60_000

/** `use` of React 19; in 18 what its libraries do. */
const results = new WeakMap<Promise<string>, { value: string } | { error: unknown }>()
const use: (promise: Promise<string>) => string =
  React.use ??
  ((promise) => {
    const result = results.get(promise)
    if (!result)
      throw promise.then(
        (value) => results.set(promise, { value }),
        (error) => results.set(promise, { error }),
      )
    if ('error' in result) throw result.error
    return result.value
  })

/** A component that waits for a token while it renders, with a promise kept per source. */
function createChat() {
  const promises = new WeakMap<TokenSource, Promise<string>>()
  return function Chat() {
    const { source } = useWeavyToken()
    const promise = promises.get(source) ?? source.getToken()
    promises.set(source, promise)
    return <p>chat with {use(promise)}</p>
  }
}

/** React 19 wants to see the end of what suspends in an `act`. */
const renderSuspended = (element: ReactNode) => act(async () => render(element))

const Waiting = ({ children }: { children: ReactNode }) => (
  <Boundary>
    <Suspense fallback="waiting">{children}</Suspense>
  </Boundary>
)

describe('a child that suspends until there is a token, with the boundary outside the provider', () => {
  test('appears, with one request', async () => {
    const broker = createBroker()
    const Chat = createChat()
    const Page = () => (
      <WeavyTokenProvider fetchToken={broker} user="alice">
        <Chat />
      </WeavyTokenProvider>
    )
    const { unmount } = await renderSuspended(
      <StrictMode>
        <Waiting>
          <Page />
        </Waiting>
      </StrictMode>,
    )
    expect(screen.getByText('waiting')).toBeDefined()
    await answered()
    await settle(100)
    expect(screen.getByText('chat with wyu_1')).toBeDefined()
    expect(broker).toHaveBeenCalledTimes(1)
    unmount()
    await settle()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is one clear error where inline functions make each try another one, and requests are bounded', async () => {
    const broker = createBroker()
    const Chat = createChat()
    const Page = () => (
      <WeavyTokenProvider fetchToken={(request) => broker(request)}>
        <Chat />
      </WeavyTokenProvider>
    )
    const { unmount } = await renderSuspended(
      <Waiting>
        <Page />
      </Waiting>,
    )
    for (let n = 0; n < 10; n++) {
      await answered()
      await settle(100)
    }
    expect(screen.getByRole('alert').textContent).toMatch(/Put a <Suspense> between the two/)
    expect(broker).toHaveBeenCalledTimes(3)
    allowComplaints()
    unmount()
    await settle(MINUTE)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a source whose render was thrown away is closed after a minute', async () => {
    const signals: AbortSignal[] = []
    const Chat = createChat()
    const { unmount } = await renderSuspended(
      <Waiting>
        <WeavyTokenProvider
          maxWaitMs={10 * MINUTE}
          timeoutMs={10 * MINUTE}
          fetchToken={({ signal }) => {
            signals.push(signal)
            return new Promise(() => {})
          }}
        >
          <Chat />
        </WeavyTokenProvider>
      </Waiting>,
    )
    await settle()
    unmount()
    await settle(MINUTE - 1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    await settle(1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('with the boundary inside, many providers with like options wait beside each other', async () => {
  const broker = createBroker()
  const Chat = createChat()
  const One = () => (
    <WeavyTokenProvider fetchToken={(request) => broker(request)}>
      <Waiting>
        <Chat />
      </Waiting>
    </WeavyTokenProvider>
  )
  await renderSuspended([1, 2, 3, 4, 5].map((key) => <One key={key} />))
  await answered()
  await settle(100)
  expect(screen.getAllByText(/^chat with/)).toHaveLength(5)
  expect(broker).toHaveBeenCalledTimes(5)
})

test('two providers with the same options have a source each', async () => {
  const broker = createBroker()
  const probes = [createProbe(), createProbe()]
  const App = ({ users }: { users: [string, string] }) => (
    <StrictMode>
      {probes.map(({ Probe }, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they never move
        <WeavyTokenProvider key={n} fetchToken={broker} user={users[n]}>
          <Probe />
        </WeavyTokenProvider>
      ))}
    </StrictMode>
  )
  const { rerender } = render(<App users={['a', 'a']} />)
  await answered()
  expect(probes[0]?.last.source).not.toBe(probes[1]?.last.source)
  rerender(<App users={['a', 'b']} />)
  await answered()
  const tokens = probes.map(({ last }) => last.token)
  expect(new Set(tokens).size).toBe(2)
  expect(tokens).not.toContain(undefined)
})

test.each(['a', null])('also when their children ask while they render: %s', async (user) => {
  const broker = createBroker()
  const probes = [createProbe(), createProbe()]
  const Asks = () => {
    useWeavyToken()
      .getToken()
      .catch(() => {})
    return null
  }
  render(
    probes.map(({ Probe }, n) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: they never move
      <WeavyTokenProvider key={n} fetchToken={broker} user={user}>
        <Asks />
        <Probe />
      </WeavyTokenProvider>
    )),
  )
  const sources = () => probes.map(({ last }) => last.source)
  const before = sources()
  expect(new Set(before).size).toBe(2)
  await answered()
  expect(sources()).toEqual(before)
  expect(broker).toHaveBeenCalledTimes(user ? 2 : 0)
})

const { Activity } = React
test.skipIf(!Activity)(
  'children of an <Activity> that is shown again get a token in their first effect',
  async () => {
    const broker = createBroker()
    const got: string[] = []
    const record = (label: string, token: Promise<string>) => {
      token.then(
        (value) => got.push(`${label} ${value}`),
        (error) => got.push(`${label} ${error.code}`),
      )
    }
    const Eager = () => {
      const { getToken } = useWeavyToken()
      useLayoutEffect(() => record('layout effect', getToken()), [getToken])
      useEffect(() => record('effect', getToken()), [getToken])
      return null
    }
    const provider = (
      <WeavyTokenProvider fetchToken={broker} user="a">
        <Eager />
      </WeavyTokenProvider>
    )
    let show: (mode: 'visible' | 'hidden') => void = () => {}
    const App = () => {
      const [mode, setMode] = useState<'visible' | 'hidden'>('visible')
      show = setMode
      return (
        <StrictMode>
          <Activity mode={mode}>{provider}</Activity>
        </StrictMode>
      )
    }
    render(<App />)
    await answered()
    for (const n of [2, 3]) {
      act(() => show('hidden'))
      await answered()
      expect(vi.getTimerCount()).toBe(0)
      got.length = 0
      act(() => show('visible'))
      await answered()
      expect(new Set(got)).toEqual(new Set([`effect wyu_${n}`, `layout effect wyu_${n}`]))
    }
    expect(broker).toHaveBeenCalledTimes(3)
  },
)

test.skipIf(!Activity)(
  'of two that are rendered alike while hidden, neither follows the user of the other',
  async () => {
    const broker = vi.fn<FetchToken>(async ({ user }) => ({ access_token: `wyu_${user}` }))
    const other = vi.fn<FetchToken>(async ({ user }) => ({ access_token: `wyu_other_${user}` }))
    const probes = [createProbe(), createProbe()] as const
    const pane = (n: 0 | 1, user: string, isShown: boolean, fetchToken = broker) => {
      const { Probe } = probes[n]
      return (
        <Activity mode={isShown ? 'visible' : 'hidden'}>
          <WeavyTokenProvider fetchToken={fetchToken} user={user}>
            <Probe />
          </WeavyTokenProvider>
        </Activity>
      )
    }
    const panes = (first: ReactElement, second: ReactElement) => (
      <>
        {first}
        {second}
      </>
    )
    const { rerender } = render(panes(pane(0, 'alice', false), pane(1, 'alice', false)))
    await settle()
    rerender(panes(pane(0, 'alice', true), pane(1, 'bob', false, other)))
    await settle()
    expect(probes[0].last.token).toBe('wyu_alice')
    rerender(panes(pane(0, 'alice', true), pane(1, 'bob', true, other)))
    await settle()
    expect(probes.map(({ last }) => last.token)).toEqual(['wyu_alice', 'wyu_other_bob'])
    expect(await probes[0].last.getToken()).toBe('wyu_alice')
    expect(broker.mock.calls.map(([{ user }]) => user)).toEqual(['alice'])
  },
)

test.skipIf(!Activity)(
  'three that are rendered alike while hidden have a source each when they are shown',
  async () => {
    const broker = createBroker()
    const probes = [createProbe(), createProbe(), createProbe()]
    const panes = (mode: 'visible' | 'hidden') => (
      <Activity mode={mode}>
        {probes.map(({ Probe }, n) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they never move
          <WeavyTokenProvider key={n} fetchToken={broker} user="alice">
            <Probe />
          </WeavyTokenProvider>
        ))}
      </Activity>
    )
    const { rerender } = render(panes('hidden'))
    await settle()
    rerender(panes('visible'))
    await answered()
    expect(new Set(probes.map(({ last }) => last.source)).size).toBe(3)
    expect(probes.map(({ last }) => last.status)).toEqual(['ready', 'ready', 'ready'])
  },
)

describe.skipIf(!Activity)('panels that are rendered while hidden, all alike', () => {
  const broker = vi.fn<FetchToken>()
  const weavy = () => ({ tokenFactory: undefined, getToken: async () => 'wyu_own' })
  beforeEach(() => {
    let count = 0
    broker.mockReset().mockImplementation(async ({ user }) => {
      count += 1
      return { access_token: `wyu_${user}${count}`, expires_in: HOUR_S }
    })
  })

  /** Panels whose children do at once what they can, and the sources that their effects meet. */
  function createPanels(count: number) {
    const panels = Array.from({ length: count }, () => ({
      met: new Set<TokenSource>(),
      got: new Set<string>(),
      weavy: weavy(),
    }))
    type Panel = (typeof panels)[number]
    const Chat = ({ panel, user }: { panel: Panel; user: string | null }) => {
      const { getToken, source } = useWeavyToken()
      useWeavyConnection(panel.weavy)
      useLayoutEffect(() => {
        panel.met.add(source)
      }, [panel, source])
      useEffect(() => {
        const note = (label: string, token: Promise<string>) =>
          token.then(
            (value) => panel.got.add(`${user} ${label} ${value}`),
            ({ code }) => panel.got.add(`${user} ${label} ${code}`),
          )
        void note('asked', getToken())
        void note('weavy', panel.weavy.getToken())
      }, [getToken, user, panel])
      return null
    }
    const { rerender } = render(null)
    return {
      panels,
      show: (shown: number[], user: string | null, there = panels) =>
        act(async () =>
          rerender(
            panels.map((panel, n) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they never move
              <Activity key={n} mode={shown.includes(n) ? 'visible' : 'hidden'}>
                <Suspense fallback="waiting">
                  {there.includes(panel) && (
                    <WeavyTokenProvider fetchToken={broker} user={user}>
                      <Chat panel={panel} user={user} />
                    </WeavyTokenProvider>
                  )}
                </Suspense>
              </Activity>
            )),
          ),
        ),
    }
  }

  test.each([
    [0, 'alice'],
    [0, 'bob'],
    [2 * MINUTE, 'alice'],
    [2 * MINUTE, 'bob'],
  ])('the second is shown alone, after %i ms, to %s', async (ms, user) => {
    const { panels, show } = createPanels(2)
    await show([], 'alice')
    expect(vi.getTimerCount()).toBe(0)
    await settle(ms)
    await show([], user)
    await show([1], user)
    await settle()
    expect(panels.map(({ got }) => [...got])).toEqual([
      [],
      [`${user} asked wyu_${user}1`, `${user} weavy wyu_${user}1`],
    ])
  })

  test('the second stays when the first has gone', async () => {
    const { panels, show } = createPanels(2)
    await show([], 'alice')
    await show([], 'alice', panels.slice(1))
    await settle(2 * MINUTE)
    await show([1], 'bob', panels.slice(1))
    await settle()
    expect([...(panels[1]?.got ?? [])]).toEqual(['bob asked wyu_bob1', 'bob weavy wyu_bob1'])
  })

  test.each(['alice', null])('no effect meets the source of another: %s', async (user) => {
    const { panels, show } = createPanels(3)
    await show([], user)
    await show([0, 1], user)
    await show([0, 1, 2], user)
    expect(panels.map(({ met }) => met.size)).toEqual([1, 1, 1])
    expect(new Set(panels.flatMap(({ met }) => [...met])).size).toBe(3)
    await show([], user)
  })

  test('the second is shown to somebody else in the tick in which both were rendered', async () => {
    const probes = [createProbe(), createProbe()] as const
    const Asks = () => {
      const { getToken } = useWeavyToken()
      getToken().catch(() => {})
      return null
    }
    const app = (mode: 'hidden' | 'visible', users: [string, string]) =>
      probes.map(({ Probe }, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they never move
        <Activity key={n} mode={mode}>
          <WeavyTokenProvider fetchToken={broker} user={users[n]}>
            <Asks />
            <Probe />
          </WeavyTokenProvider>
        </Activity>
      ))
    const { rerender } = render(app('hidden', ['alice', 'alice']))
    rerender(app('visible', ['alice', 'bob']))
    await settle()
    expect(probes[0].last.token).toBe('wyu_alice1')
    expect(probes[1].last.token).toMatch(/^wyu_bob/)
  })

  test('nor where both waited for a token behind one boundary', async () => {
    const Chat = createChat()
    const met: TokenSource[] = []
    const Effect = () => {
      const { source } = useWeavyToken()
      useLayoutEffect(() => {
        met.push(source)
      }, [source])
      return null
    }
    const app = (mode: 'hidden' | 'visible') => (
      <Activity mode={mode}>
        <Waiting>
          {[1, 2].map((key) => (
            <WeavyTokenProvider key={key} fetchToken={broker} user="alice">
              <Chat />
              <Effect />
            </WeavyTokenProvider>
          ))}
        </Waiting>
      </Activity>
    )
    const { rerender } = await renderSuspended(app('hidden'))
    await settle(1000)
    await act(async () => rerender(app('visible')))
    await settle(1000)
    expect(screen.getAllByText(/^chat with/)).toHaveLength(2)
    expect(met).toHaveLength(2)
    expect(new Set(met).size).toBe(2)
    expect(broker.mock.calls.length).toBeLessThanOrEqual(2)
  })

  test.each(['first', 'later'])(
    'one that was asked in its %s render is closed after a minute, and opened again',
    async (when) => {
      const probe = createProbe()
      const Asks = ({ asks }: { asks: boolean }) => {
        const { getToken } = useWeavyToken()
        if (asks) getToken().catch(() => {})
        return <probe.Probe />
      }
      const app = (mode: 'hidden' | 'visible', asks = true) => (
        <Activity mode={mode}>
          <WeavyTokenProvider fetchToken={broker} user="alice">
            <Asks asks={asks} />
          </WeavyTokenProvider>
        </Activity>
      )
      const { rerender } = render(app('hidden', when === 'first'))
      if (when === 'later') {
        await settle(2 * MINUTE)
        rerender(app('hidden'))
      }
      await settle(MINUTE - 1)
      expect(await probe.last.getToken()).toBe('wyu_alice1')
      await settle(1)
      expect(vi.getTimerCount()).toBe(0)
      await expect(probe.last.getToken()).rejects.toMatchObject({ code: 'closed' })
      rerender(app('visible'))
      await settle()
      expect(probe.last.token).toBe('wyu_alice2')
    },
  )
})

describe('sources whose providers have not been committed', () => {
  const ready = async (tokenUrl: string) => {
    const held = ownSource({ tokenUrl, fetch: async () => Response.json({ access_token: 'wyu_1' }) })
    onTestFinished(held.end)
    await held.source.getToken()
  }
  const make = () => {
    const held = ownSource({ tokenUrl: 'https://app.example/token', onRequest: () => {} })
    onTestFinished(held.end)
    return held
  }
  afterEach(() => settle(60_000))

  test('may be many when nobody has asked them for a token', () => {
    expect(new Set(Array.from({ length: 8 }, make)).size).toBe(8)
  })

  test('may be many when their tokens come from elsewhere', async () => {
    for (let n = 0; n < 8; n++) await ready(`https://app.example/token/${n}`)
    expect(make).not.toThrow()
  })

  test('are given up when three of the same broker were answered in vain', async () => {
    for (let n = 0; n < 3; n++) await ready('https://app.example/token')
    expect(make).toThrow(/Put a <Suspense> between the two/)
  })

  test('close after a minute when nobody is signed in, too', async () => {
    const held = ownSource({ fetchToken: createBroker(), user: null })
    await settle(60_000 - 1)
    expect(ownSource({ ...held.latest.current })).toBe(held)
    await settle(1)
    await expect(held.source.getToken()).rejects.toMatchObject({ code: 'closed' })
  })

  test('close after a minute, also where timers are numbers', async () => {
    const { setTimeout } = globalThis
    vi.stubGlobal('setTimeout', (...args: Parameters<typeof setTimeout>) => Number(setTimeout(...args)))
    const held = ownSource({ fetchToken: createBroker() })
    const waiting = expect(held.source.getToken()).resolves.toBe('wyu_1')
    await answered()
    await waiting
    vi.unstubAllGlobals()
    await settle(60_000)
    await expect(held.source.getToken()).rejects.toMatchObject({ code: 'closed' })
  })
})
