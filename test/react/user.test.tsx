import { act, render } from '@testing-library/react'
import { StrictMode, startTransition, useEffect, useLayoutEffect, useState } from 'react'
import { expect, test, vi } from 'vitest'
import type { FetchToken, TokenSourceOptions } from 'weavy-token'
import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { answered, createBroker, createProbe, HOUR_S, settle, watchTests } from './harness.js'

watchTests()

type User = TokenSourceOptions['user']

/** An app with one user at a time, whose broker names tokens after the user who is signed in there. */
function createApp(first: User) {
  const brokers = { a: createBroker('a'), b: createBroker('b') }
  const probe = createProbe()
  const shown: [user: User, token: string | undefined][] = []
  let signedIn = first
  const broker = vi.fn<FetchToken>((request) => brokers[signedIn === 'b' ? 'b' : 'a'](request))
  const Show = ({ user }: { user: User }) => {
    shown.push([user, useWeavyToken().token])
    return null
  }
  const App = ({ user }: { user: User }) => (
    <WeavyTokenProvider fetchToken={broker} user={user}>
      <probe.Probe />
      <Show user={user} />
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App user={first} />)
  return {
    broker,
    probe,
    shown,
    rerender(user: User) {
      signedIn = user
      rerender(<App user={user} />)
    },
  }
}

test('no render of a new user shows the token of the old one, and the new one comes by itself', async () => {
  const { probe, shown, rerender } = createApp('a')
  await answered()
  expect(shown.at(-1)).toEqual(['a', 'wyu_a1'])
  const { getToken } = probe.last
  rerender('b')
  expect(shown.at(-1)).toEqual(['b', undefined])
  await answered()
  expect(shown.at(-1)).toEqual(['b', 'wyu_b1'])
  expect(shown.filter(([user, token]) => token && !token.startsWith(`wyu_${user}`))).toEqual([])
  expect(probe.last.getToken).toBe(getToken)
})

test('a switch gives one object per change', async () => {
  const { probe, rerender } = createApp('a')
  await answered()
  const before = probe.renders.length
  rerender('b')
  await settle()
  await answered()
  const objects = new Set(probe.renders.slice(before))
  expect([...objects].map(({ status }) => status)).toEqual(['empty', 'fetching', 'ready'])
})

test('there and back shows a new token of the first user', async () => {
  const { shown, rerender } = createApp('a')
  await answered()
  rerender('b')
  await answered()
  rerender('a')
  expect(shown.at(-1)).toEqual(['a', undefined])
  await answered()
  expect(shown.at(-1)).toEqual(['a', 'wyu_a2'])
})

test('a request in the air for the old user is aborted, and its waiters are rejected', async () => {
  const { broker, probe, shown, rerender } = createApp('a')
  await settle()
  const waiting = expect(probe.last.getToken()).rejects.toMatchObject({ code: 'superseded' })
  rerender('b')
  await waiting
  expect(broker.mock.calls[0]?.[0].signal.aborted).toBe(true)
  await answered()
  expect(shown.at(-1)).toEqual(['b', 'wyu_b1'])
  expect(broker).toHaveBeenCalledTimes(2)
})

test('the same user again asks for nothing', async () => {
  const { broker, rerender } = createApp('a')
  await answered()
  rerender('a')
  await answered()
  expect(broker).toHaveBeenCalledTimes(1)
})

test('null signs out without a request, and a user after it signs in', async () => {
  const { broker, probe, shown, rerender } = createApp('a')
  await answered()
  rerender(null)
  await settle(HOUR_S * 1000)
  expect(shown.filter(([user, token]) => user === null && token)).toEqual([])
  expect(probe.last).toMatchObject({ status: 'signed-out', token: undefined, error: { code: 'signed_out' } })
  await expect(probe.last.getToken()).rejects.toMatchObject({ code: 'signed_out' })
  expect(broker).toHaveBeenCalledTimes(1)
  rerender('b')
  await answered()
  expect(shown.at(-1)).toEqual(['b', 'wyu_b1'])
})

test('nobody at first is signed out in the first render', async () => {
  const { broker, probe } = createApp(null)
  await answered()
  expect(probe.statuses()).toEqual(['signed-out'])
  expect(broker).not.toHaveBeenCalled()
})

test('a user who becomes undefined is gone', async () => {
  const { shown, rerender } = createApp('a')
  await answered()
  rerender(undefined)
  expect(shown.at(-1)).toEqual([undefined, undefined])
})

test('effects of children that run with the new user get no token of the old one', async () => {
  const got: string[] = []
  const record = (label: string, token: Promise<string>) => {
    token.then(
      (value) => got.push(`${label} ${value}`),
      (error) => got.push(`${label} ${error.code}`),
    )
  }
  const Eager = ({ user }: { user: string }) => {
    const { getToken } = useWeavyToken()
    useLayoutEffect(() => record(`layout effect of ${user}`, getToken()), [user, getToken])
    useEffect(() => record(`effect of ${user}`, getToken()), [user, getToken])
    return null
  }
  const brokers = { a: createBroker('a'), b: createBroker('b') }
  const App = ({ user }: { user: 'a' | 'b' }) => (
    <StrictMode>
      <WeavyTokenProvider fetchToken={brokers[user]} user={user}>
        <Eager user={user} />
      </WeavyTokenProvider>
    </StrictMode>
  )
  const { rerender } = render(<App user="a" />)
  await answered()
  got.length = 0
  rerender(<App user="b" />)
  await answered()
  expect(got.sort()).toEqual(['effect of b wyu_b1', 'layout effect of b wyu_b1'])
  expect(brokers.b).toHaveBeenCalledTimes(1)
})

test('a switch in a transition masks nothing before it shows', async () => {
  const broker = createBroker()
  const seen: [user: string, token: string | undefined][] = []
  let change: (user: string) => void = () => {}
  const Show = ({ user }: { user: string }) => {
    seen.push([user, useWeavyToken().token])
    return null
  }
  const App = () => {
    const [user, setUser] = useState('a')
    change = setUser
    return (
      <WeavyTokenProvider fetchToken={broker} user={user}>
        <Show user={user} />
      </WeavyTokenProvider>
    )
  }
  render(<App />)
  await answered()
  seen.length = 0
  act(() => startTransition(() => change('b')))
  await answered()
  expect(seen[0]).toEqual(['b', undefined])
  expect(seen.at(-1)).toEqual(['b', 'wyu_2'])
  expect(seen.map(([, token]) => token)).not.toContain('wyu_1')
})

test('a user that is no number, such as Number(undefined), gets a token', async () => {
  const { broker, shown, rerender } = createApp(Number.NaN)
  await answered()
  expect(shown.at(-1)).toEqual([Number.NaN, 'wyu_a1'])
  rerender(Number.NaN)
  await answered()
  expect(broker).toHaveBeenCalledTimes(1)
})

test('the same user as a number and as a string is no switch', async () => {
  const { broker, shown, rerender } = createApp(5)
  await answered()
  rerender('5')
  expect(shown.at(-1)).toEqual(['5', 'wyu_a1'])
  await answered()
  expect(broker).toHaveBeenCalledTimes(1)
})

test('with maxWaitMs={0}, and switches quicker than an answer, the last user gets a token', async () => {
  const brokers = { a: createBroker('a'), b: createBroker('b'), c: createBroker('c') }
  const probe = createProbe()
  const App = ({ user }: { user: 'a' | 'b' | 'c' }) => (
    <WeavyTokenProvider fetchToken={brokers[user]} user={user} maxWaitMs={0}>
      <probe.Probe />
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App user="a" />)
  for (const user of ['b', 'a', 'c'] as const) rerender(<App user={user} />)
  await answered()
  expect(probe.last).toMatchObject({ status: 'ready', token: 'wyu_c1' })
})

test('the sub of a switch checks the first answer for the new user', async () => {
  const answers = { a: 'sub of a', b: 'sub of somebody else' }
  const probe = createProbe()
  const App = ({ user }: { user: 'a' | 'b' }) => (
    <WeavyTokenProvider
      fetchToken={async () => ({ access_token: `wyu_${user}`, expires_in: HOUR_S, sub: answers[user] })}
      user={user}
      sub={`sub of ${user}`}
    >
      <probe.Probe />
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App user="a" />)
  await answered()
  expect(probe.last.token).toBe('wyu_a')
  rerender(<App user="b" />)
  await answered()
  expect(probe.last).toMatchObject({ token: undefined, error: { code: 'other_user' } })
})

test('listeners given as props are looked up when something happens', async () => {
  const heard: string[] = []
  const probe = createProbe()
  const App = ({ name }: { name: string }) => (
    <WeavyTokenProvider
      fetchToken={createBroker()}
      onRequest={({ reason }) => heard.push(`${name} ${reason}`)}
      onRefused={({ from, status }) => heard.push(`${name} ${from} ${status}`)}
    >
      <probe.Probe />
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App name="first" />)
  await answered()
  rerender(<App name="second" />)
  probe.last.getToken({ rejected: probe.last.token }).catch(() => {})
  await answered()
  expect(heard).toEqual(['first first', 'second app 401', 'second rejected'])
})

test('a sub that comes after its user proves a token foreign that was believed', async () => {
  let cookie = 'b'
  const probe = createProbe()
  const fetchToken = async () => ({
    access_token: `wyu_${cookie}`,
    expires_in: HOUR_S,
    sub: `sub of ${cookie}`,
  })
  const app = (sub?: string) => (
    <WeavyTokenProvider fetchToken={fetchToken} user="a" sub={sub}>
      <probe.Probe />
    </WeavyTokenProvider>
  )
  const { rerender } = render(app())
  await settle()
  expect(probe.last.token).toBe('wyu_b')
  cookie = 'a'
  rerender(app('sub of a'))
  await settle()
  expect(probe.last.token).toBe('wyu_a')
})
