import { expect, test } from 'vitest'
import { isStream } from '../src/copy-body.js'

test.each([
  ['a stream of a browser that cannot iterate it', { getReader() {} }, true],
  ['what Node iterates', (async function* () {})(), true],
  ['a text', 'text', false],
  ['nothing', null, false],
])('%s: sent once only, or again (%#)', (_, body, isOnce) => {
  expect(isStream(body)).toBe(isOnce)
})
