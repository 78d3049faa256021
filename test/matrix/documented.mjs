// The examples of docs/testing.md, as they are in the tarball, become files of a project.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes the examples whose path fits, each through `adapt`; returns their paths. */
export function writeExamples(pattern, adapt = (code) => code) {
  const text = readFileSync('node_modules/weavy-token/docs/testing.md', 'utf8')
  const blocks = [...text.matchAll(/`([\w/.-]+\.\w+)`[^`\n]*:\n\n```\w+\n(.*?)^```$/gms)]
  const wanted = blocks.filter(([, path]) => pattern.test(path))
  if (!wanted.length) throw new Error(`docs/testing.md has no example for ${pattern}`)
  for (const [, path, code] of wanted) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, adapt(code))
  }
  return wanted.map(([, path]) => path)
}
