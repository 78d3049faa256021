import { expect, test, vi } from 'vitest'

vi.mock('react', () => {
  throw new Error('React is not installed')
})

test('the core works where React is not installed', async () => {
  await expect(import('weavy-token/react')).rejects.toThrow()
  const { createTokenSource } = await import('weavy-token')
  const source = createTokenSource({
    fetchToken: async () => ({ access_token: 'wyu_plain', expires_in: 3600 }),
  })
  expect(await source.getToken()).toBe('wyu_plain')
  source.close()
})
