import { act, cleanup } from '@testing-library/react'
import { Component, type ReactNode } from 'react'
import { afterEach, beforeEach, expect, type Mock, vi } from 'vitest'
import type { FetchToken } from 'weavy-token'
import { useWeavyToken, type WeavyToken } from 'weavy-token/react'

let consoleError: Mock

/**
 * Every test of the file has time in its hand. At its end nothing may stay behind, and React may have nothing to complain
 * about. Files share a process and with it this module, so each of them says it.
 */
export function watchTests() {
  beforeEach(() => {
    vi.useFakeTimers()
    consoleError = vi.spyOn(console, 'error').mockImplementation(() => {})
  })
  afterEach(async () => {
    cleanup()
    await settle()
    expect(vi.getTimerCount()).toBe(0)
    expect(consoleError.mock.calls).toEqual([])
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
}

/** Lets everything happen that is due now. */
export const settle = (ms = 0) =>
  act(async () => {
    await vi.advanceTimersByTimeAsync(ms)
  })

/** Lets the broker's next answer come. */
export const answered = () => settle(BROKER_MS)

/** For a test in which React reports an error that a component threw: 18 and 19 differ in how. */
export const allowComplaints = () => consoleError.mockClear()

export const HOUR_S = 3600
const BROKER_MS = 1000

/** A broker that takes a second and numbers its tokens: `wyu_<name>1`, `wyu_<name>2`, … */
export function createBroker(name = '') {
  let count = 0
  return vi.fn<FetchToken>(async ({ signal }) => {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, BROKER_MS)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
    })
    count += 1
    return { access_token: `wyu_${name}${count}`, expires_in: HOUR_S }
  })
}

/** How many listeners of these types are on the page now, of those that came since. */
export function watchListeners(...types: string[]) {
  const pages = [window, document].map((target) => ({
    added: vi.spyOn(target, 'addEventListener'),
    removed: vi.spyOn(target, 'removeEventListener'),
  }))
  const ours = ([type]: unknown[]) => types.includes(type as string)
  return () =>
    pages.reduce(
      (sum, { added, removed }) =>
        sum + added.mock.calls.filter(ours).length - removed.mock.calls.filter(ours).length,
      0,
    )
}

/** A component that records each of its renders. */
export function createProbe() {
  const renders: WeavyToken[] = []
  const Probe = () => {
    const weavyToken = useWeavyToken()
    renders.push(weavyToken)
    return <output>{weavyToken.token ?? weavyToken.status}</output>
  }
  return {
    Probe,
    renders,
    get last() {
      return renders.at(-1) as WeavyToken
    },
    tokens: () => renders.map(({ token }) => token),
    statuses: () => renders.map(({ status }) => status),
  }
}

/** An error boundary that shows the message. */
export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {}
  static getDerivedStateFromError = (error: Error) => ({ error })
  override render() {
    return this.state.error ? <p role="alert">{this.state.error.message}</p> : this.props.children
  }
}
