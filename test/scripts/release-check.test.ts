import { expect, test } from 'vitest'
import { problems } from '../../scripts/release-check.mjs'

const READY = { version: '0.2.0', repository: 'https://example.com/weavy-token.git' }
const CHANGELOG = '# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n- More.\n\n## 0.1.0\n\nFirst release.\n'

test('a version that is ready has no problems, with a date in its heading or without', () => {
  expect(problems('v0.2.0', READY, CHANGELOG)).toEqual([])
  expect(problems('v0.2.0', READY, CHANGELOG.replace('## 0.2.0', '## 0.2.0 (2026-11-25)'))).toEqual([])
})

test('a release without a repository, of another version, or that the changelog does not know is refused', () => {
  expect(problems('v0.2.0', { version: '0.2.0' }, CHANGELOG)).toEqual([expect.stringContaining('repository')])
  expect(problems('v0.2.1', READY, CHANGELOG)).toEqual([expect.stringContaining('v0.2.1')])
  expect(problems(undefined, READY, CHANGELOG)).toEqual([expect.stringContaining('missing')])
  expect(problems('v0.2.0', READY, '# Changelog\n\n## 0.1.0\n')).toEqual([
    expect.stringContaining('no section 0.2.0'),
  ])
})

test('lines that still stand under Unreleased belong to the release', () => {
  const forgotten = CHANGELOG.replace('## Unreleased\n', '## Unreleased\n\n- A fix.\n')
  expect(problems('v0.2.0', READY, forgotten)).toEqual([expect.stringContaining('Unreleased')])
})
