import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const matrix = fileURLToPath(new URL('matrix', import.meta.url))
const folders = readdirSync(matrix, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const parse = (folder: string, file: string) =>
  JSON.parse(readFileSync(`${matrix}/${folder}/${file}`, 'utf8'))

describe('each project of the matrix', () => {
  it('is found', () => {
    expect(folders).toContain('webpack')
  })

  it.each(folders)('%s pins what it tries, and its lock names no registry', (folder) => {
    expect(existsSync(`${matrix}/${folder}/run.mjs`)).toBe(true)
    const {
      private: isPrivate,
      dependencies,
      devDependencies,
      optionalDependencies,
    } = parse(folder, 'package.json')
    expect(isPrivate).toBe(true)
    for (const version of Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies }))
      expect(version).toMatch(/^(npm:.+@)?\d+\.\d+\.\d+/)
    const packages = Object.entries<{ resolved?: string; integrity?: string }>(
      parse(folder, 'package-lock.json').packages,
    )
    expect(packages.filter(([, { resolved }]) => resolved)).toEqual([])
    expect(packages.filter(([path, { integrity }]) => path && !integrity)).toEqual([])
  })
})
