import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** The UIKit's published source of how it asks, signs in, keeps content and ends. */
const sourceOf = (packageName: string, name: string) =>
  readFileSync(new URL(`../../node_modules/${packageName}/lib/client/${name}.ts`, import.meta.url), 'utf8')

test.each(['fetch', 'authentication', 'query'])(
  'UIKit 31 has the %s of the newest, with which the boundaries are tried in browsers',
  (name) => {
    expect(sourceOf('uikit-web-31', name)).toBe(sourceOf('@weavy/uikit-web', name))
  },
)
