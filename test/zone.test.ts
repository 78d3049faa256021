import 'zone.js'
import { expect, test } from 'vitest'
import { createTokenSource } from '../src/index.js'

interface ZoneLike {
  readonly current: ZoneLike
  fork(spec: object): ZoneLike
  run<T>(task: () => T): T
}
const { Zone } = globalThis as unknown as { Zone: ZoneLike }

/** A zone that knows, as Angular's does, whether a timer or a request of its own is outstanding. */
function createAppZone() {
  const pending = { macroTask: false }
  const zone = Zone.current.fork({
    name: 'app',
    onHasTask(
      delegate: { hasTask(target: object, state: object): void },
      _: object,
      target: object,
      state: typeof pending & { change: string },
    ) {
      delegate.hasTask(target, state)
      if (state.change === 'macroTask') pending.macroTask = state.macroTask
    },
  })
  return { zone, pending }
}

test('a timer of the app itself makes its zone unstable', () => {
  const { zone, pending } = createAppZone()
  const timer = zone.run(() => setTimeout(() => {}, 1000))
  expect(pending.macroTask).toBe(true)
  clearTimeout(timer)
  expect(pending.macroTask).toBe(false)
})

test('a source with a token of an hour leaves none in the zone of the app that made it and asked', async () => {
  const { zone, pending } = createAppZone()
  const source = zone.run(() =>
    createTokenSource({ fetchToken: async () => ({ access_token: 'wyu_1', expires_in: 3600 }) }),
  )
  expect(await zone.run(() => source.getToken())).toBe('wyu_1')
  expect(await zone.run(() => source.getToken({ minValidityMs: 1000 }))).toBe('wyu_1')
  await Promise.resolve()
  expect(pending.macroTask).toBe(false)
  source.close()
})

test('one whose broker is away leaves none while it waits for the next attempt', async () => {
  const { zone, pending } = createAppZone()
  const source = zone.run(() =>
    createTokenSource({
      fetchToken: () => {
        throw new TypeError('fetch failed')
      },
      maxWaitMs: 0,
    }),
  )
  await expect(zone.run(() => source.getToken())).rejects.toMatchObject({ code: 'unreachable' })
  expect(pending.macroTask).toBe(false)
  source.close()
})
