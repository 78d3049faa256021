// @vitest-environment node
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ReactElement } from 'react'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { afterEach, expect, test, vi } from 'vitest'
import { createTokenSource } from 'weavy-token'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'

const setTimeout = vi.spyOn(globalThis, 'setTimeout')
const fetch = vi.spyOn(globalThis, 'fetch')
const consoleError = vi.spyOn(console, 'error')

afterEach(() => {
  expect(fetch).not.toHaveBeenCalled()
  expect(consoleError).not.toHaveBeenCalled()
})

const Probe = () => {
  useWeavyConnection(undefined)
  return <output>{useWeavyToken().status}</output>
}

const renderToStream = (element: ReactElement) =>
  new Promise<string>((resolve, reject) => {
    const { pipe } = renderToPipeableStream(element, {
      onAllReady: () => resolve(text(pipe(new PassThrough()))),
      onError: reject,
    })
  })

test.each([
  ['renderToString', async (element: ReactElement) => renderToString(element)],
  ['renderToPipeableStream', renderToStream],
])('%s fetches nothing, schedules nothing and says nothing', async (_name, renderOnServer) => {
  setTimeout.mockClear()
  const html = await renderOnServer(
    <WeavyTokenProvider tokenUrl="/api/token" user="alice">
      <Probe />
    </WeavyTokenProvider>,
  )
  expect(html).toBe('<output>empty</output>')
  expect(setTimeout).not.toHaveBeenCalled()
})

test('nobody is signed out on the server too', () => {
  const html = renderToString(
    <WeavyTokenProvider tokenUrl="/api/token" user={null}>
      <Probe />
    </WeavyTokenProvider>,
  )
  expect(html).toBe('<output>signed-out</output>')
})

test('a given source is shown empty, also one that holds a token', async () => {
  const source = createTokenSource({ fetchToken: async () => ({ access_token: 'wyu_server' }) })
  await source.getToken()
  const html = renderToString(
    <WeavyTokenProvider source={source}>
      <Probe />
    </WeavyTokenProvider>,
  )
  expect(html).toBe('<output>empty</output>')
  source.close()
})
