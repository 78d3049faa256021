import { act } from '@testing-library/react'
import type { ReactElement } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import { createTokenSource } from 'weavy-token'
import { WeavyTokenProvider } from 'weavy-token/react'
import { answered, createBroker, createProbe, settle, watchTests } from './harness.js'

watchTests()

/** Hydrates in the page what the server made of the same element; returns what to do afterwards. */
async function hydrate(element: ReactElement) {
  const container = document.createElement('div')
  container.innerHTML = renderToString(element)
  const output = container.firstElementChild
  const onRecoverableError = vi.fn()
  const root = await act(async () => hydrateRoot(container, element, { onRecoverableError }))
  expect(onRecoverableError).not.toHaveBeenCalled()
  expect(container.firstElementChild).toBe(output)
  return {
    output,
    unmount: async () => {
      act(() => root.unmount())
      await settle()
    },
  }
}

test('starts from what the server rendered, then fetches once', async () => {
  const broker = createBroker()
  const { Probe } = createProbe()
  const { output, unmount } = await hydrate(
    <WeavyTokenProvider fetchToken={broker} user="alice">
      <Probe />
    </WeavyTokenProvider>,
  )
  await answered()
  expect(output?.textContent).toBe('wyu_1')
  expect(broker).toHaveBeenCalledTimes(1)
  await unmount()
})

test('starts signed out where nobody is signed in', async () => {
  const probe = createProbe()
  const { output, unmount } = await hydrate(
    <WeavyTokenProvider fetchToken={createBroker()} user={null}>
      <probe.Probe />
    </WeavyTokenProvider>,
  )
  expect(output?.textContent).toBe('signed-out')
  expect(new Set(probe.statuses())).toEqual(new Set(['signed-out']))
  await unmount()
})

test('of a given source that already holds a token is no mismatch', async () => {
  const source = createTokenSource({ fetchToken: async () => ({ access_token: 'wyu_early' }) })
  await source.getToken()
  const { Probe } = createProbe()
  const { output, unmount } = await hydrate(
    <WeavyTokenProvider source={source}>
      <Probe />
    </WeavyTokenProvider>,
  )
  expect(output?.textContent).toBe('wyu_early')
  await unmount()
  source.close()
})
