// Says what keeps this version from being published: node scripts/release-check.mjs v0.2.0
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const read = (/** @type {string} */ file) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

/**
 * What is not ready for the release that `tag` names, in words.
 *
 * @param {string | undefined} tag
 * @param {{ version: string, repository?: unknown }} manifest
 * @param {string} changelog
 */
export const problems = (tag, { version, repository }, changelog) =>
  [
    tag !== `v${version}` && `The tag is ${tag ?? 'missing'}, and package.json says ${version}.`,
    !repository && 'package.json names no repository, without which npm refuses provenance.',
    !changelog.split('\n').some((line) => line.split(' ').slice(0, 2).join(' ') === `## ${version}`) &&
      `CHANGELOG.md has no section ${version}.`,
    /^## Unreleased\s+[^#\s]/m.test(changelog) && 'CHANGELOG.md has lines under Unreleased: move them.',
  ].filter((problem) => problem !== false)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = problems(process.argv[2], JSON.parse(read('package.json')), read('CHANGELOG.md'))
  for (const problem of found) console.error(problem)
  if (found.length) process.exitCode = 1
}
