import { render } from '@testing-library/react'
import { StrictMode, useLayoutEffect } from 'react'
import { expect, test, vi } from 'vitest'
import { createTokenSource, type WeavyLike } from 'weavy-token'
import { useWeavyConnection, WeavyTokenProvider } from 'weavy-token/react'
import { answered, createBroker, settle, watchTests } from './harness.js'

watchTests()

/** As much of an instance as connects; real ones are connected in real browsers. */
const createWeavy = () => {
  const own = async () => 'wyu_own'
  return { tokenFactory: null as WeavyLike['tokenFactory'], getToken: own, own, isDestroyed: false }
}

const Connected = ({ weavy }: { weavy: WeavyLike | undefined }) => {
  useWeavyConnection(weavy)
  return null
}

test('takes undefined at first, connects the instance that comes, and leaves it as it was', async () => {
  const weavy = createWeavy()
  const App = ({ weavy }: { weavy?: WeavyLike }) => (
    <StrictMode>
      <WeavyTokenProvider fetchToken={createBroker()}>
        <Connected weavy={weavy} />
      </WeavyTokenProvider>
    </StrictMode>
  )
  const { rerender, unmount } = render(<App />)
  await answered()
  rerender(<App weavy={weavy} />)
  expect(await weavy.getToken()).toBe('wyu_1')
  expect(weavy.tokenFactory).toBeTypeOf('function')
  unmount()
  expect(weavy).toEqual({ ...createWeavy(), own: weavy.own, getToken: weavy.own })
})

test('a render of the component does not connect again', async () => {
  const source = createTokenSource({ fetchToken: createBroker() })
  const subscribe = vi.spyOn(source, 'subscribe')
  const weavy = createWeavy()
  const app = () => (
    <WeavyTokenProvider source={source}>
      <Connected weavy={weavy} />
    </WeavyTokenProvider>
  )
  const { rerender, unmount } = render(app())
  const { getToken, tokenFactory } = weavy
  const subscriptions = subscribe.mock.calls.length
  rerender(app())
  await answered()
  expect(weavy).toMatchObject({ getToken, tokenFactory })
  expect(subscribe).toHaveBeenCalledTimes(subscriptions)
  unmount()
  source.close()
})

test('two components may connect one instance', async () => {
  const weavy = createWeavy()
  const App = ({ both }: { both: boolean }) => (
    <WeavyTokenProvider fetchToken={createBroker()}>
      <Connected weavy={weavy} />
      {both && <Connected weavy={weavy} />}
    </WeavyTokenProvider>
  )
  const { rerender, unmount } = render(<App both />)
  await answered()
  rerender(<App both={false} />)
  expect(await weavy.getToken()).toBe('wyu_1')
  unmount()
  expect(weavy.getToken).toBe(weavy.own)
})

test('follows the provider to another source', async () => {
  const weavy = createWeavy()
  const sources = ['a', 'b'].map((name) => createTokenSource({ fetchToken: createBroker(name) }))
  const App = ({ index }: { index: number }) => (
    <WeavyTokenProvider {...(sources[index] && { source: sources[index] })}>
      <Connected weavy={weavy} />
    </WeavyTokenProvider>
  )
  const { rerender } = render(<App index={0} />)
  await answered()
  expect(await weavy.getToken()).toBe('wyu_a1')
  rerender(<App index={1} />)
  await answered()
  expect(await weavy.getToken()).toBe('wyu_b1')
  for (const source of sources) source.close()
})

test('leaves an instance alone that the app has destroyed', async () => {
  const weavy = { ...createWeavy(), isDestroyed: true }
  render(
    <WeavyTokenProvider fetchToken={createBroker()}>
      <Connected weavy={weavy} />
    </WeavyTokenProvider>,
  )
  await settle()
  expect(weavy.getToken).toBe(weavy.own)
})

test('connects nothing to a source that the app has closed', async () => {
  const weavy = createWeavy()
  const source = createTokenSource({ fetchToken: createBroker() })
  const App = ({ isShown, closes = false }: { isShown: boolean; closes?: boolean }) => (
    <WeavyTokenProvider source={source}>
      {closes && <Closing />}
      {isShown && <Connected weavy={weavy} />}
    </WeavyTokenProvider>
  )
  const Closing = () => {
    useLayoutEffect(() => source.close())
    return null
  }
  // Closed between the render and the effect that connects, then before the render.
  const { rerender } = render(<App isShown closes />)
  expect(weavy.getToken).toBe(weavy.own)
  rerender(<App isShown={false} />)
  rerender(<App isShown />)
  await settle()
  expect(weavy).toEqual({ ...createWeavy(), own: weavy.own, getToken: weavy.own })
})
