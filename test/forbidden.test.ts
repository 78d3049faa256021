import { expect, test } from 'vitest'
import { createForbidden } from '../src/forbidden.js'

test('however many resources are forbidden, a few hundred are kept: the last ones', () => {
  const forbidden = createForbidden()
  const isKept = (n: number) => forbidden.has(`GET /api/apps/${n}`)
  for (let n = 0; n < 1000; n++) forbidden.mark(`GET /api/apps/${n}`)
  expect([isKept(0), isKept(999)]).toEqual([false, true])
  const kept = [...Array(1000).keys()].filter(isKept)
  expect(kept.length).toBeGreaterThan(50)
  expect(kept.length).toBeLessThan(400)
})
