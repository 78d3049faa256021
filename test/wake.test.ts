import { afterEach, expect, test, vi } from 'vitest'
import { onWake, type Wake } from '../src/wake.js'
import { stubPage } from './world.js'

afterEach(() => vi.unstubAllGlobals())

test('a page wakes when it is shown, online, or comes back from the back/forward cache, and at nothing else', () => {
  const page = stubPage()
  const woken: Wake[] = []
  const stop = onWake((wake) => woken.push(wake))
  page.hide()
  page.goOffline()
  for (const type of ['pagehide', 'pageshow'])
    dispatchEvent(Object.assign(new Event(type), { persisted: false }))
  expect(woken).toEqual([])
  page.show()
  page.goOnline()
  page.store()
  page.restore()
  expect(woken).toEqual(['visible', 'online', 'stored', 'restored'])
  stop()
  page.show()
  page.goOnline()
  expect(woken).toHaveLength(4)
})
