import { Weavy } from '@weavy/uikit-web'
import { afterEach, describe, expect, test } from 'vitest'
import { connectWeavy, createTokenSource, type TokenSourceOptions, type WeavyLike } from 'weavy-token'
import type { Row } from '../broker-rows.js'
import { order } from './order.js'
import type { RowAddress, RowOrder } from './row-worlds.js'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function start(row: Row, user: string | null = 'alice') {
  const world = await order<RowAddress>('/rows', { row, user })
  const tell = (next: RowOrder) => order<string[]>(`/rows/${world.id}`, next)
  undo.push(() => tell({ do: 'close' }))
  /** The queries that the broker was asked with. */
  const requests = () => tell({ do: 'look' })
  return { ...world, requests }
}
type World = Awaited<ReturnType<typeof start>>

const sourceFor = ({ tokenUrl }: World, options: TokenSourceOptions = { tokenUrl }) => {
  const source = createTokenSource(options)
  undo.push(source.close)
  return source
}

const instance = ({ weavyUrl }: World, tokenUrl?: string) => {
  const weavy = new Weavy({ url: weavyUrl, ...(tokenUrl && { tokenUrl }) })
  undo.push(() => weavy.destroy())
  return weavy
}

const connected = (world: World, options?: TokenSourceOptions) => {
  const weavy = instance(world)
  connectWeavy(sourceFor(world, options), weavy as unknown as WeavyLike)
  return weavy
}

let serial = 0
const statusOf = async (weavy: Weavy) => (await weavy.fetch(`/api/user?n=${serial++}`)).status

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => error,
  )

describe('whatever serves the UIKit serves us unchanged', () => {
  test.each<[Row, string]>([
    ['sample', ''],
    ['uid in the query', '?uid=alice'],
    ['JSON as HTML', ''],
    ['constant expires_in', ''],
    ['200 { message }', ''],
    ['sign-in page behind a redirect', ''],
  ])('%s', async (row, query) => {
    const world = await start(row)
    const tokenUrl = world.tokenUrl + query
    expect(await statusOf(instance(world, tokenUrl))).toBe(200)
    const before = (await world.requests()).length
    const source = sourceFor(world, { tokenUrl })
    const weavy = instance(world)
    connectWeavy(source, weavy as unknown as WeavyLike)
    expect(await statusOf(weavy)).toBe(200)
    const rejected = await source.getToken()
    expect(await source.getToken({ rejected })).not.toBe(rejected)
    expect(await statusOf(weavy)).toBe(200)
    const refresh = query ? `${query}&refresh=true` : '?refresh=true'
    expect((await world.requests()).slice(before)).toEqual([query, refresh])
  })

  test('with a fetch that monitoring or an app shell has wrapped, and that expects a string', async () => {
    const world = await start('sample')
    const { fetch } = globalThis
    undo.push(() => {
      globalThis.fetch = fetch
    })
    globalThis.fetch = (url, init) => fetch((url as string).replace(/#.*/, ''), init)
    const source = sourceFor(world)
    expect(await source.getToken()).toMatch(/^wyu_/)
  })
})

describe('a session that ended', () => {
  test('behind a redirect to another origin without CORS is told once, as signed_out, and not an outage', async () => {
    const world = await start('sign-in page behind a redirect', null)
    const source = sourceFor(world)
    const began = performance.now()
    expect(await failureOf(source.getToken())).toMatchObject({ code: 'signed_out' })
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(source.getState().status).toBe('signed-out')
    expect(await failureOf(source.getToken())).toMatchObject({ code: 'signed_out' })
    expect(await world.requests()).toEqual(['', ''])
  })

  test('with 401 of another origin names what its cookies would need', async () => {
    const error = await failureOf(sourceFor(await start('sample', null)).getToken())
    expect(error).toMatchObject({ code: 'signed_out', status: 401 })
    expect(error.message).toContain("requestInit: { credentials: 'include' }")
    expect(error.message).toContain('allowedOrigins')
  })
})

test('cookies for a broker that allows every origin fail in the browser, and the message says what to change', async () => {
  const world = await start('sample')
  const source = sourceFor(world, {
    tokenUrl: world.tokenUrl,
    requestInit: { credentials: 'include' },
    maxWaitMs: 3000,
  })
  const error = await failureOf(source.getToken())
  expect(error).toMatchObject({ code: 'unreachable' })
  expect(error.message).toContain('credentials')
  expect(error.message).toContain('allowedOrigins')
})

describe('a broker that serves no UIKit', () => {
  const named: [Row, string, (response: Response) => Promise<string>][] = [
    ['plain text', 'a bare token', (response) => response.text()],
    ['{ token }', '{ token }', async (response) => (await response.json()).token],
    ['{ accessToken }', '{ accessToken }', async (response) => (await response.json()).accessToken],
  ]

  test.each(named)('%s: is refused at once, as %s', async (row, found) => {
    const world = await start(row)
    const error = await failureOf(sourceFor(world).getToken())
    expect(error).toMatchObject({ code: 'bad_response' })
    expect(error.message).toContain(`answered ${found}, not { access_token }`)
  })

  test.each(named)('%s: the line of fetchToken reads it', async (row, _, read) => {
    const world = await start(row)
    const fetchToken: TokenSourceOptions['fetchToken'] = async ({ refresh, signal }) => {
      const response = await fetch(refresh ? `${world.tokenUrl}?refresh=true` : world.tokenUrl, { signal })
      return { access_token: await read(response) }
    }
    expect(await statusOf(connected(world, { fetchToken }))).toBe(200)
  })

  test('200 { message } and the page of a single-page app name themselves', async () => {
    const message = await failureOf(sourceFor(await start('200 { message }', null)).getToken())
    expect(message.message).toContain('should answer 401')
    const fallback = await failureOf(sourceFor(await start('fallback page')).getToken())
    expect(fallback).toMatchObject({ code: 'bad_response', message: expect.stringMatching(/^HTML came/) })
  })
})
