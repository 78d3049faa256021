import { expect, test } from 'vitest'
import { NO_WAIT } from '../../src/clock.js'
import { slotFreeInMs, takeSlot } from '../../src/machine/rate-limit.js'
import { peakPerMinute } from '../world.js'

test.each([0, 10, 100, 1000, 2999, 3001])(
  'a request whenever the limit allows, looked at every %i ms, each with a second one: 29 in any 60 s at most, which leaves one for a second look',
  (step) => {
    const times: number[] = []
    let debt = NO_WAIT
    for (let now = 0; now < 300_000; now += step || 1) {
      const at = { wall: 5e12 + now, mono: now }
      if (slotFreeInMs(debt, at) > 0) continue
      for (let i = 0; i < 2; i++) {
        debt = takeSlot(debt, at)
        times.push(now)
      }
    }
    expect(peakPerMinute(times)).toBeLessThanOrEqual(29)
    expect(times.length).toBeGreaterThan(90)
  },
)

test.each([
  ['wall clock', { wall: 27_000, mono: 0 }],
  ['monotonic clock', { wall: 0, mono: 27_000 }],
])('time that only the %s has seen pays slots back', (_, later) => {
  const began = { wall: 5e12, mono: 5e6 }
  let debt = NO_WAIT
  for (let i = 0; i < 8; i++) debt = takeSlot(debt, began)
  expect(slotFreeInMs(debt, began)).toBeGreaterThan(0)
  expect(slotFreeInMs(debt, { wall: 5e12 + later.wall, mono: 5e6 + later.mono })).toBeLessThanOrEqual(0)
})
