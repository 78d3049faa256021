import { webcrypto } from 'node:crypto'
import { act, render, waitFor } from '@testing-library/react'
import { StrictMode, useEffect } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FetchToken } from 'weavy-token'
import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { createAcrossTabs } from '../../src/tabs/across-tabs.js'
import { modelBrowser } from '../tabs/browser.js'

beforeEach(() => vi.stubGlobal('crypto', webcrypto))
afterEach(() => vi.unstubAllGlobals())

function Asks() {
  const { getToken, token } = useWeavyToken()
  useEffect(() => {
    getToken().catch(() => {})
  }, [getToken])
  return <p>{token ?? 'none'}</p>
}

test('two tabs with a provider each, StrictMode and renders included, cost one broker request, and leave nothing', async () => {
  const model = modelBrowser()
  const asked = vi.fn(async () => ({ access_token: `wyu_${asked.mock.calls.length}`, expires_in: 3600 }))
  const tabs = [model.openTab(), model.openTab()]
  // Created once, outside of render.
  const functions = tabs.map(
    (tab): FetchToken => createAcrossTabs({ fetchToken: asked, scope: '' }, tab.browser),
  )
  const app = (fetchToken: FetchToken, user: string) => (
    <StrictMode>
      <WeavyTokenProvider fetchToken={fetchToken} user={user}>
        <Asks />
      </WeavyTokenProvider>
    </StrictMode>
  )
  const pages = functions.map((fetchToken) => render(app(fetchToken, 'alice')))
  for (const { container } of pages) await waitFor(() => expect(container.textContent).toBe('wyu_1'))
  for (const [n, { rerender }] of pages.entries()) rerender(app(functions[n] as FetchToken, 'alice'))
  expect(asked).toHaveBeenCalledTimes(1)

  for (const { unmount } of pages) unmount()
  await act(() => new Promise((resolve) => setTimeout(resolve, 10)))
  for (const tab of tabs) expect(tab.left()).toEqual({ channels: 0, locks: 0, listeners: 0 })
})
