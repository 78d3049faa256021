import { render, screen } from '@testing-library/react'
import { StrictMode, useEffect } from 'react'
import { expect, test, vi } from 'vitest'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { allowComplaints, answered, Boundary, createProbe, settle, watchTests } from './harness.js'

watchTests()

function createApp() {
  const fetch = vi.fn(async () => Response.json({ access_token: 'wyu_1', expires_in: 3600 }))
  const got: string[] = []
  const weavy = { tokenFactory: undefined, getToken: async () => 'wyu_own' }
  const { getToken: own } = weavy
  const Eager = () => {
    const { getToken, tokenFactory } = useWeavyToken()
    useWeavyConnection(weavy)
    useEffect(() => {
      const { signal } = new AbortController()
      for (const token of [getToken({ signal }), tokenFactory()])
        token.then(
          (value) => got.push(value),
          (error) => got.push(error.code),
        )
    }, [getToken, tokenFactory])
    return <p>child</p>
  }
  const probe = createProbe()
  const App = ({ tokenUrl }: { tokenUrl: string | null | undefined }) => (
    <StrictMode>
      <Boundary>
        <WeavyTokenProvider tokenUrl={tokenUrl} fetch={fetch}>
          <Eager />
          <probe.Probe />
        </WeavyTokenProvider>
      </Boundary>
    </StrictMode>
  )
  return { App, fetch, got, isConnected: () => weavy.getToken !== own, probe }
}

test('tokenUrl={null} renders the children and fetches nothing; when it is known, there is a token', async () => {
  const { App, fetch, got, isConnected, probe } = createApp()
  const { rerender } = render(<App tokenUrl={null} />)
  await settle(3_600_000)
  expect(screen.getByText('child')).toBeDefined()
  expect(probe.last).toMatchObject({ status: 'fetching', token: undefined })
  expect(fetch).not.toHaveBeenCalled()
  expect(isConnected()).toBe(false)
  expect(got).toEqual([])
  rerender(<App tokenUrl="https://app.example/api/token" />)
  await settle()
  expect(probe.last.token).toBe('wyu_1')
  // As after any change of tokenUrl: who waited is told, and effects ask anew.
  expect(new Set(got)).toEqual(new Set(['closed', 'wyu_1']))
  expect(fetch).toHaveBeenCalledTimes(1)
  expect(isConnected()).toBe(true)
})

test('unmounting before tokenUrl is known rejects whoever waits', async () => {
  const { App, got } = createApp()
  const { unmount } = render(<App tokenUrl={null} />)
  await settle()
  unmount()
  await settle()
  expect(new Set(got)).toEqual(new Set(['closed']))
})

test('nobody is signed out, tokenUrl known or not', async () => {
  const probe = createProbe()
  render(
    <WeavyTokenProvider tokenUrl={null} user={null}>
      <probe.Probe />
    </WeavyTokenProvider>,
  )
  await settle()
  expect(probe.last.status).toBe('signed-out')
})

test('a tokenUrl that is taken away again closes the source, and comes back', async () => {
  const { App, fetch, isConnected, probe } = createApp()
  const { rerender } = render(<App tokenUrl="https://app.example/api/token" />)
  await answered()
  const { source } = probe.last
  rerender(<App tokenUrl={null} />)
  await answered()
  expect(probe.last.token).toBeUndefined()
  expect(isConnected()).toBe(false)
  await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
  rerender(<App tokenUrl="https://app.example/api/token" />)
  await answered()
  expect(probe.last.token).toBe('wyu_1')
  expect(fetch).toHaveBeenCalledTimes(2)
})

test('tokenUrl={undefined}, as an unset variable gives it, is an error', () => {
  const { App } = createApp()
  render(<App tokenUrl={undefined} />)
  expect(screen.getByRole('alert').textContent).toContain('tokenUrl')
  allowComplaints()
})
