import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The code blocks of a document, by the file name that the paragraph above begins with, else by language. */
export function blocksOf(document: string): Map<string, string> {
  const text = readFileSync(`${root}${document}`, 'utf8')
  const blocks = new Map<string, string>()
  for (const { 1: language = '', 2: code = '', index } of text.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const paragraph = text.slice(0, index).trimEnd().split('\n\n').at(-1) ?? ''
    const path = /`([\w/-]+\.tsx?)`/.exec(paragraph)?.[1]
    const name = path ?? language
    if (!blocks.has(name)) blocks.set(name, code)
  }
  return blocks
}

/** Runs a block as the module that it is, with the library's source, and returns what it exports. */
export async function runBlock<T>(
  blocks: ReadonlyMap<string, string>,
  path: string,
  change = (code: string) => code,
): Promise<T> {
  const code = (name: string) => {
    const found = blocks.get(name)
    if (found === undefined) throw new Error(`There is no block ${name}.`)
    return { contents: change(found), loader: 'ts' as const, resolveDir: root }
  }
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    plugins: [
      {
        name: 'document',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /.*/ }, ({ path: asked, kind, importer, namespace }) => {
            if (kind === 'entry-point') return { path: asked, namespace: 'document' }
            if (asked === 'weavy-token') return { path: `${root}src/index.ts` }
            if (namespace !== 'document') return undefined
            if (!asked.startsWith('.')) return { path: asked, external: true }
            const folder = importer.includes('/') ? `${importer.split('/')[0]}/` : ''
            return { path: folder + asked.slice(2).replace(/(\.js)?$/, '.ts'), namespace: 'document' }
          })
          onLoad({ filter: /.*/, namespace: 'document' }, ({ path: name }) => code(name))
        },
      },
    ],
  })
  const module = { exports: {} }
  new Function('module', 'exports', 'require', outputFiles[0]?.text ?? '')(
    module,
    module.exports,
    createRequire(import.meta.url),
  )
  return module.exports as T
}
