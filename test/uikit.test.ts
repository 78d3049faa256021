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
    expect(() => connectWeavy(source, weavy as WeavyLike)).toThrow(
      new TypeError('weavy must be a living Weavy instance, or a defined <wy-context>'),
    )
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

test('a connection to a source of another copy of this library ends with that', async () => {
  vi.resetModules()
  const copy = await import('../src/index.js')
  expect(copy.createTokenSource).not.toBe(createTokenSource)
  const source = copy.createTokenSource({ fetchToken: async () => ({ access_token: 'wyu_1' }) })
  const weavy: WeavyLike = { tokenFactory: undefined, getToken: async () => 'wyu_own', fetch: vi.fn() }
  const before = { ...weavy }
  connectWeavy(source, weavy)
  expect(await weavy.getToken?.()).toBe('wyu_1')
  source.close()
  expect(weavy).toEqual(before)
})
