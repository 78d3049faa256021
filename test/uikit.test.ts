import { afterEach, expect, test, vi } from 'vitest'
import { connectWeavy, createTokenSource, type WeavyLike } from '../src/index.js'

const sourceOfTokens = () => {
  let n = 0
  return createTokenSource({
    fetchToken: async () => {
      n += 1
      return { access_token: `wyu_${n}`, expires_in: 3600 }
    },
  })
}

afterEach(() => vi.unstubAllGlobals())

test('an instance without getToken gets the plain factory, and the app is told', async () => {
  const reportError = vi.fn()
  vi.stubGlobal('reportError', reportError)
  const weavy: WeavyLike = { tokenFactory: undefined }
  const source = sourceOfTokens()
  const disconnect = connectWeavy(source, weavy)
  expect(reportError).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ message: expect.stringContaining('getToken') }),
  )
  expect(await weavy.tokenFactory?.(false)).toBe('wyu_1')
  expect(await weavy.tokenFactory?.(true)).toBe('wyu_2')
  disconnect()
  expect(weavy).toEqual({ tokenFactory: undefined })
  source.close()
})

test('what is no Weavy instance, or a destroyed one, is a TypeError', () => {
  const source = sourceOfTokens()
  for (const weavy of [undefined, null, 'weavy', {}, { tokenFactory: undefined, isDestroyed: true }])
    expect(() => connectWeavy(source, weavy as WeavyLike)).toThrow(TypeError)
  source.close()
})

test('a member that the app replaced while connected is left to the app', () => {
  const source = sourceOfTokens()
  const weavy: WeavyLike = { tokenFactory: undefined, getToken: async () => 'wyu_own', fetch: vi.fn() }
  const before = { ...weavy }
  const disconnect = connectWeavy(source, weavy)
  const appsFetch = vi.fn()
  weavy.fetch = appsFetch
  disconnect()
  expect(weavy).toEqual({ ...before, fetch: appsFetch })
  source.close()
})

test('a second refusal while calls of an earlier token are in the air is about the current one after 10 s at most', async () => {
  vi.useFakeTimers()
  const source = sourceOfTokens()
  const weavy: WeavyLike = {
    tokenFactory: undefined,
    getToken: async () => '',
    fetch: () => new Promise<Response>(() => {}),
  }
  connectWeavy(source, weavy)
  await weavy.getToken?.()
  void weavy.fetch?.('/never')
  void weavy.fetch?.('/answers')
  expect(await weavy.getToken?.(true)).toBe('wyu_2')
  expect(await weavy.getToken?.(true)).toBe('wyu_2')
  // Everyone in the air has been told: this is about the token that they were given.
  const second = weavy.getToken?.(true)
  await vi.advanceTimersByTimeAsync(2000)
  expect(await second).toBe('wyu_3')
  void weavy.fetch?.('/never either')
  await vi.advanceTimersByTimeAsync(10_000)
  const third = weavy.getToken?.(true)
  await vi.advanceTimersByTimeAsync(2000)
  expect(await third).toBe('wyu_4')
  source.close()
  vi.useRealTimers()
})
