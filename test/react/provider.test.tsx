import { act, render, screen } from '@testing-library/react'
import * as React from 'react'
import { StrictMode, Suspense } from 'react'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createTokenSource, type TokenResponse } from 'weavy-token'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { internalsOf } from '../../src/internals.js'
import {
  allowComplaints,
  answered,
  Boundary,
  createBroker,
  createProbe,
  HOUR_S,
  settle,
  watchListeners,
  watchTests,
} from './harness.js'

watchTests()

const answer = (token: string, expires_in = HOUR_S) => Response.json({ access_token: token, expires_in })

describe('the first token', () => {
  test('comes without a call, with one render per change', async () => {
    const start = Date.now()
    const broker = createBroker()
    const probe = createProbe()
    render(
      <WeavyTokenProvider fetchToken={broker}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    expect(screen.getByRole('status').textContent).toBe('empty')
    await settle()
    expect(screen.getByRole('status').textContent).toBe('fetching')
    await answered()
    expect(screen.getByRole('status').textContent).toBe('wyu_1')
    expect(probe.statuses()).toEqual(['empty', 'fetching', 'ready'])
    expect(probe.last.error).toBeUndefined()
    expect(probe.last.expiresAt).toBe(start + HOUR_S * 1000)
    expect(broker).toHaveBeenCalledTimes(1)
  })

  test('costs one request for fifty consumers', async () => {
    const broker = createBroker()
    const { Probe } = createProbe()
    render(
      <WeavyTokenProvider fetchToken={broker}>
        {Array.from({ length: 50 }, (_, n) => `probe ${n}`).map((key) => (
          <Probe key={key} />
        ))}
      </WeavyTokenProvider>,
    )
    await answered()
    expect(screen.getAllByText('wyu_1')).toHaveLength(50)
    expect(broker).toHaveBeenCalledTimes(1)
  })

  test('costs one request under StrictMode, and unmounting leaves no timer and no listener', async () => {
    const listeners = watchListeners('online', 'visibilitychange')
    const broker = createBroker()
    const { Probe } = createProbe()
    const { unmount } = render(
      <StrictMode>
        <WeavyTokenProvider fetchToken={broker}>
          <Probe />
        </WeavyTokenProvider>
      </StrictMode>,
    )
    await answered()
    expect(screen.getByRole('status').textContent).toBe('wyu_1')
    expect(broker).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(1)
    expect(listeners()).toBe(2)
    unmount()
    await answered()
    expect(vi.getTimerCount()).toBe(0)
    expect(listeners()).toBe(0)
  })

  test('comes again after clear()', async () => {
    const broker = createBroker()
    const probe = createProbe()
    render(
      <WeavyTokenProvider fetchToken={broker}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    const before = probe.renders.length
    act(() => probe.last.clear())
    await answered()
    expect(probe.last.token).toBe('wyu_2')
    expect(new Set(probe.tokens().slice(before))).toEqual(new Set([undefined, 'wyu_2']))
  })

  test('is shared with a listener that has to see the source empty', async () => {
    const source = createTokenSource({ fetchToken: createBroker() })
    const { Probe } = createProbe()
    render(
      <WeavyTokenProvider source={source}>
        <Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    const seen: string[] = []
    source.subscribe(({ status }) => seen.push(status))
    act(() => source.clear())
    await answered()
    expect(seen).toEqual(['empty', 'fetching', 'ready'])
    source.close()
  })
})

describe('what restarts nothing', () => {
  test('inline options and closures: the newest are looked up at each request', async () => {
    const fetch = vi.fn<(version: number, headers: Headers) => Response>(() => answer('wyu_1'))
    const probe = createProbe()
    const App = ({ version }: { version: number }) => (
      <WeavyTokenProvider
        tokenUrl={new URL('https://app.example/api/token')}
        requestInit={() => ({ headers: { 'x-csrf': `csrf ${version}` } })}
        fetch={async (_url, init) => fetch(version, init?.headers as Headers)}
      >
        <probe.Probe />
      </WeavyTokenProvider>
    )
    const { rerender } = render(<App version={1} />)
    await answered()
    const { source, getToken, tokenFactory, clear } = probe.last
    for (const version of [2, 3]) rerender(<App version={version} />)
    await answered()
    expect(fetch).toHaveBeenCalledTimes(1)

    act(() => probe.last.clear())
    await answered()
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(fetch.mock.lastCall?.[0]).toBe(3)
    expect(fetch.mock.lastCall?.[1].get('x-csrf')).toBe('csrf 3')
    expect(probe.last.source).toBe(source)
    expect(probe.last).toMatchObject({ getToken, tokenFactory, clear })
  })

  test('a new fetchToken is used from the next request on', async () => {
    const brokers = [createBroker('first'), createBroker('second')]
    const probe = createProbe()
    const App = ({ index }: { index: number }) => (
      <WeavyTokenProvider fetchToken={async (request) => brokers[index]?.(request) as Promise<TokenResponse>}>
        <probe.Probe />
      </WeavyTokenProvider>
    )
    const { rerender } = render(<App index={0} />)
    await answered()
    rerender(<App index={1} />)
    await answered()
    expect(probe.last.token).toBe('wyu_first1')
    await settle(HOUR_S * 1000)
    await answered()
    expect(probe.last.token).toBe('wyu_second1')
    expect(brokers[0]).toHaveBeenCalledTimes(1)
  })

  test('a focus, or becoming visible, renders nothing', async () => {
    const probe = createProbe()
    render(
      <WeavyTokenProvider fetchToken={createBroker()}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    const before = probe.renders.length
    window.dispatchEvent(new Event('focus'))
    window.dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
    await answered()
    expect(probe.renders).toHaveLength(before)
  })

  test('a render of the parent gives the consumers the same object', async () => {
    const probe = createProbe()
    const App = () => (
      <WeavyTokenProvider fetchToken={createBroker()}>
        <probe.Probe />
      </WeavyTokenProvider>
    )
    const { rerender } = render(<App />)
    await answered()
    const before = probe.last
    rerender(<App />)
    expect(probe.renders.at(-1)).toBe(before)
  })
})

describe('another source', () => {
  test('is made for a changed tokenUrl, and no render shows the old token', async () => {
    const probe = createProbe()
    const asked: string[] = []
    const fetch = async (url: unknown) => {
      asked.push(String(url))
      return answer(`wyu_${new URL(String(url)).pathname.slice(1)}`)
    }
    const App = ({ path }: { path: string }) => (
      <WeavyTokenProvider tokenUrl={`https://app.example/${path}`} fetch={fetch}>
        <probe.Probe />
      </WeavyTokenProvider>
    )
    const { rerender } = render(<App path="a" />)
    await answered()
    const { source } = probe.last
    const before = probe.renders.length
    rerender(<App path="b" />)
    await answered()
    expect(new Set(probe.tokens().slice(before))).toEqual(new Set([undefined, 'wyu_b']))
    expect(asked).toEqual(['https://app.example/a', 'https://app.example/b'])
    await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
  })

  test('is made for fetchToken in place of tokenUrl, children staying mounted', async () => {
    const probe = createProbe()
    const { rerender } = render(
      <WeavyTokenProvider tokenUrl="https://app.example/" fetch={async () => answer('wyu_url')}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    const element = screen.getByRole('status')
    rerender(
      <WeavyTokenProvider fetchToken={createBroker('function')}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    expect(probe.last.token).toBe('wyu_function1')
    expect(screen.getByRole('status')).toBe(element)
  })
})

test('asking while React renders tells no listener within that render', async () => {
  const source = createTokenSource({ fetchToken: createBroker() })
  let isRendering = false
  const within: string[] = []
  source.subscribe(({ status }) => {
    if (isRendering) within.push(status)
  })
  const probe = createProbe()
  const Asks = () => {
    isRendering = true
    source.getToken().catch(() => {})
    isRendering = false
    return null
  }
  const App = ({ asks }: { asks: boolean }) => (
    <WeavyTokenProvider source={source}>
      <probe.Probe />
      {asks && <Asks />}
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App asks={false} />)
  await answered()
  act(() => {
    source.clear()
    rerender(<App asks />)
  })
  await answered()
  expect(within).toEqual([])
  expect(probe.last.token).toBe('wyu_2')
  source.close()
})

describe('a given source', () => {
  test('is never closed, and a remount takes it as it is', async () => {
    const broker = createBroker()
    const source = createTokenSource({ fetchToken: broker })
    const probe = createProbe()
    const app = (
      <WeavyTokenProvider source={source}>
        <probe.Probe />
      </WeavyTokenProvider>
    )
    const { unmount } = render(app)
    await answered()
    expect(probe.last.source).toBe(source)
    unmount()
    await answered()
    expect(await source.getToken()).toBe('wyu_1')
    render(app)
    expect(probe.last.token).toBe('wyu_1')
    await answered()
    expect(broker).toHaveBeenCalledTimes(1)
    source.close()
  })

  test('keeps the user that the app gave it, also through a switch and another mount', async () => {
    const broker = createBroker()
    const source = createTokenSource({ fetchToken: broker, user: 'alice' })
    const probe = createProbe()
    const app = (
      <StrictMode>
        <WeavyTokenProvider source={source}>
          <probe.Probe />
        </WeavyTokenProvider>
      </StrictMode>
    )
    const users = () => broker.mock.calls.map(([{ user }]) => user)
    const { unmount } = render(app)
    await answered()
    expect(probe.last.token).toBe('wyu_1')
    act(() => source.setUser('bob'))
    await answered()
    unmount()
    render(app)
    await answered()
    expect(probe.last.token).toBe('wyu_2')
    expect(users()).toEqual(['alice', 'bob'])
    source.close()
  })

  test('keeps no listener of a provider that is gone', async () => {
    const source = createTokenSource({ fetchToken: createBroker() })
    let listeners = 0
    const subscribe: typeof source.subscribe = (listener) => {
      const undo = source.subscribe(listener)
      listeners += 1
      return () => {
        listeners -= 1
        undo()
      }
    }
    const { Probe } = createProbe()
    const { unmount } = render(
      <StrictMode>
        <WeavyTokenProvider source={{ ...source, subscribe }}>
          <Probe />
        </WeavyTokenProvider>
      </StrictMode>,
    )
    await answered()
    expect(listeners).toBe(2)
    unmount()
    expect(listeners).toBe(0)
    source.close()
  })

  test('gives way to another one', async () => {
    const sources = ['a', 'b'].map((name) => createTokenSource({ fetchToken: createBroker(name) }))
    const probe = createProbe()
    const { rerender } = render(
      <WeavyTokenProvider source={sources[0]}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    rerender(
      <WeavyTokenProvider source={sources[1]}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    expect(probe.last.token).toBe('wyu_b1')
    expect(sources[0]?.getState()).toMatchObject({ status: 'ready', token: 'wyu_a1' })
    for (const source of sources) source.close()
  })

  test('that is closed stays empty, without a loop', async () => {
    const broker = createBroker()
    const source = createTokenSource({ fetchToken: broker })
    source.close()
    const probe = createProbe()
    render(
      <WeavyTokenProvider source={source}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    expect(probe.statuses()).toEqual(['empty'])
    expect(broker).not.toHaveBeenCalled()
  })
})

describe('unmounting', () => {
  test('closes an own source, aborts the request in the air and rejects whoever waits', async () => {
    let signal: AbortSignal | undefined
    const probe = createProbe()
    const { unmount } = render(
      <WeavyTokenProvider
        fetchToken={(request) => {
          signal = request.signal
          return new Promise(() => {})
        }}
      >
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    const waiting = expect(probe.last.getToken()).rejects.toMatchObject({ code: 'closed' })
    expect(signal?.aborted).toBe(false)
    unmount()
    await answered()
    await waiting
    expect(signal?.aborted).toBe(true)
  })

  test('and mounting anew at once costs one request', async () => {
    const broker = createBroker()
    const probe = createProbe()
    const app = (
      <WeavyTokenProvider fetchToken={broker}>
        <probe.Probe />
      </WeavyTokenProvider>
    )
    render(app).unmount()
    render(app)
    await answered()
    expect(probe.last.token).toBe('wyu_1')
    expect(broker).toHaveBeenCalledTimes(1)
  })
})

describe('trees that wait', () => {
  test('a child that suspends, first and later, neither closes the source nor fetches again', async () => {
    const broker = createBroker()
    const probe = createProbe()
    let wake = () => {}
    let waiting: Promise<void> | undefined
    const suspend = () => {
      waiting = new Promise((resolve) => {
        wake = () => {
          waiting = undefined
          resolve()
        }
      })
    }
    const Sleeper = () => {
      if (waiting !== undefined) throw waiting
      return null
    }
    const App = () => (
      <Suspense fallback="waiting">
        <WeavyTokenProvider fetchToken={broker}>
          <probe.Probe />
          <Sleeper />
        </WeavyTokenProvider>
      </Suspense>
    )
    suspend()
    const { rerender } = render(<App />)
    await answered()
    expect(broker).not.toHaveBeenCalled()
    wake()
    await settle()
    await answered()
    expect(screen.getByRole('status').textContent).toBe('wyu_1')

    suspend()
    rerender(<App />)
    expect(screen.getByText('waiting')).toBeDefined()
    await answered()
    wake()
    await answered()
    expect(await probe.last.getToken()).toBe('wyu_1')
    expect(broker).toHaveBeenCalledTimes(1)
  })

  const { Activity } = React
  test.skipIf(!Activity)('a hidden tree fetches nothing, and one that was hidden starts afresh', async () => {
    const broker = createBroker()
    const probe = createProbe()
    const App = ({ mode }: { mode: 'hidden' | 'visible' }) => (
      <Activity mode={mode}>
        <WeavyTokenProvider fetchToken={broker}>
          <probe.Probe />
        </WeavyTokenProvider>
      </Activity>
    )
    const { rerender } = render(<App mode="hidden" />)
    await answered()
    expect(broker).not.toHaveBeenCalled()
    rerender(<App mode="visible" />)
    await answered()
    expect(probe.last.token).toBe('wyu_1')
    rerender(<App mode="hidden" />)
    await answered()
    expect(vi.getTimerCount()).toBe(0)
    rerender(<App mode="visible" />)
    await answered()
    expect(probe.last.token).toBe('wyu_2')
    expect(await probe.last.getToken()).toBe('wyu_2')
  })
})

describe('failures', () => {
  test.each([
    ['useWeavyToken', () => useWeavyToken()],
    ['useWeavyConnection', () => useWeavyConnection(undefined)],
  ])('%s outside a provider says what to do', (name, useHook) => {
    const Lost = () => {
      useHook()
      return null
    }
    expect(() => render(<Lost />)).toThrow(new RegExp(`^${name} .*<WeavyTokenProvider tokenUrl=`))
    allowComplaints()
  })

  test('one that is final is not asked about again', async () => {
    const broker = vi.fn(async () => new Response(null, { status: 401 }))
    const probe = createProbe()
    render(
      <WeavyTokenProvider fetchToken={broker}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await settle(10 * 60_000)
    expect(probe.last.status).toBe('signed-out')
    expect(broker).toHaveBeenCalledTimes(1)
  })

  test('a refusal that the app does not want to hear of is no mistake', async () => {
    const reportError = vi.fn()
    vi.stubGlobal('reportError', reportError)
    onTestFinished(() => void vi.unstubAllGlobals())
    const probe = createProbe()
    render(
      <WeavyTokenProvider fetchToken={createBroker()}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    void probe.last.source.getToken({ rejected: 'wyu_1' })
    await answered()
    internalsOf(probe.last.source).tellRefused({ status: 401, from: 'uikit' })
    await settle()
    expect(probe.last.token).toBe('wyu_2')
    expect(reportError).not.toHaveBeenCalled()
  })

  test('a hook of another copy of the library says that there may be two, and what else it may be', async () => {
    vi.resetModules()
    const other = await import('weavy-token/react')
    const Lost = () => <p>{other.useWeavyToken().status}</p>
    render(
      <Boundary>
        <WeavyTokenProvider fetchToken={createBroker()}>
          <Lost />
        </WeavyTokenProvider>
      </Boundary>,
    )
    for (const cause of ['npm ls weavy-token', 'islands', "'use client'"])
      expect(screen.getByRole('alert').textContent).toContain(cause)
    allowComplaints()
    // The provider's own first render was thrown away with it.
    await settle(60_000)
  })

  test('wrong options reach an error boundary', () => {
    render(
      <Boundary>
        <WeavyTokenProvider tokenUrl="http://app.example/" />
      </Boundary>,
    )
    expect(screen.getByRole('alert').textContent).toContain('tokenUrl must be https:')
    allowComplaints()
  })

  test('a failure is a state, and an error boundary shows it where a component throws it', async () => {
    const Strict = () => {
      const { status, error } = useWeavyToken()
      if (status === 'failed') throw error
      return null
    }
    render(
      <Boundary>
        <WeavyTokenProvider fetchToken={async () => ({ access_token: 'wys_key' })}>
          <Strict />
        </WeavyTokenProvider>
      </Boundary>,
    )
    await answered()
    expect(screen.getByRole('alert').textContent).toContain('API key')
    allowComplaints()
  })

  test('a session that ended is a state, and clear() signs in again', async () => {
    let signedIn = false
    const fetch = vi.fn(async () => (signedIn ? answer('wyu_1') : new Response(null, { status: 401 })))
    const probe = createProbe()
    render(
      <WeavyTokenProvider tokenUrl="https://app.example/" fetch={fetch}>
        <probe.Probe />
      </WeavyTokenProvider>,
    )
    await answered()
    await settle(120_000)
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(probe.last).toMatchObject({
      status: 'signed-out',
      token: undefined,
      error: { code: 'signed_out' },
    })
    signedIn = true
    act(() => probe.last.clear())
    await answered()
    expect(probe.last).toMatchObject({ status: 'ready', token: 'wyu_1', error: undefined })
    expect(fetch).toHaveBeenCalledTimes(2)
  })
})
