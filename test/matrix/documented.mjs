// The examples of a document, as it is in the tarball, become files of a project.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes the examples whose path, named in the paragraph above them, fits, each through `adapt`; returns their paths. */
export function writeExamples(document, pattern, adapt = (code) => code) {
  const text = readFileSync(`node_modules/weavy-token/docs/${document}.md`, 'utf8')
  const examples = [...text.matchAll(/^```\w+\n(.*?)^```$/gms)].flatMap(({ 1: code, index }) => {
    const paragraph = text.slice(0, index).trimEnd().split('\n\n').at(-1)
    const path = /`([\w/.-]+\.[cm]?[jt]sx?)`/.exec(paragraph)?.[1]
    return path && pattern.test(path) ? [{ path, code }] : []
  })
  if (!examples.length) throw new Error(`docs/${document}.md has no example for ${pattern}`)
  for (const { path, code } of examples) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, adapt(code))
  }
  return examples.map(({ path }) => path)
}
