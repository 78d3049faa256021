import { expect, test } from 'vitest'
import { server } from 'vitest/browser'
import { createAuthorizedFetch, createTokenSource } from 'weavy-token'
import { refusedForToken, sleep, startWorld } from './world.js'

async function aliceIn(world: Awaited<ReturnType<typeof startWorld>>) {
  const source = createTokenSource({ tokenUrl: world.tokenUrl, user: 'alice' })
  world.defer(source.close)
  await source.getToken()
  return { source, weavyFetch: createAuthorizedFetch(source, { weavyUrl: world.weavyUrl }) }
}

const uidOf = async (response: Response) => (await response.json()).uid

test('a Request of a same-origin frame, whose token is refused, is sent again with its whole body', async () => {
  await using world = await startWorld()
  const { weavyFetch } = await aliceIn(world)
  const frame = world.show('iframe') as HTMLIFrameElement
  const { Request } = frame.contentWindow as Window & typeof globalThis
  const request = new Request(`${world.weavyUrl}/api/blobs`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=edge' },
    body: [
      '--edge',
      'Content-Disposition: form-data; name="blob"; filename="framed.txt"',
      '',
      'x'.repeat(100_000),
      '--edge--',
      '',
    ].join('\r\n'),
  })
  expect(request).not.toBeInstanceOf(globalThis.Request)

  await world.revokeAll()
  const response = await weavyFetch(request)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ name: 'framed.txt', size: 100_000 })
  expect((await world.look()).weavy.map(({ kind, status }) => [kind, status])).toEqual([
    ['token', 200],
    ['upload', 401],
    ['token', 200],
    ['upload', 200],
  ])
})

test('what the HTTP cache could keep of alice is no answer to bob; a plain fetch gives it to him', async () => {
  await using world = await startWorld()
  const { source, weavyFetch } = await aliceIn(world)
  const url = `${world.weavyUrl}/api/user?max-age=600`
  const bearer = async () => ({ headers: { authorization: `Bearer ${await source.getToken()}` } })
  expect(await uidOf(await weavyFetch(url))).toBe('alice')
  const plain = `${url}&plain`
  expect(await uidOf(await fetch(plain, await bearer()))).toBe('alice')

  await world.signIn('bob')
  source.setUser('bob')
  expect(await uidOf(await weavyFetch(url))).toBe('bob')
  // WebKit keeps no answer to a request with a token.
  if (server.browser !== 'webkit') expect(await uidOf(await fetch(plain, await bearer()))).toBe('alice')
  expect(await uidOf(await weavyFetch(plain))).toBe('bob')
})

test('a URL object that the app uses again while the first request is refused takes no token elsewhere', async () => {
  await using world = await startWorld()
  await using elsewhere = await startWorld()
  const { weavyFetch } = await aliceIn(world)
  await world.revokeAll()
  const url = new URL('/api/user?delay=300', world.weavyUrl)
  const call = weavyFetch(url)
  await sleep(100)
  url.href = `${elsewhere.weavyUrl}/api/user`
  expect(await uidOf(await call)).toBe('alice')
  expect(refusedForToken(await world.look())).toHaveLength(1)
  expect((await elsewhere.look()).weavy).toEqual([])
})
