import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const root = fileURLToPath(new URL('../..', import.meta.url))
const installed = (name: string) => join(root, 'node_modules', name)

export interface Consumer {
  readonly directory: string
  /** The files of the tarball. */
  readonly files: readonly string[]
  write(name: string, text: string): Promise<void>
  read(name: string): Promise<string>
  /** Runs Node in the project and resolves with what it printed; rejects with its output when it fails. */
  node(...args: string[]): Promise<string>
  /** Makes packages of this repository available to the project. */
  link(...names: string[]): Promise<void>
  remove(): Promise<void>
}

/** What no package has in it. */
const UNPACKED = ['.git', 'coverage', 'demo', 'node_modules', 'test']

/**
 * Packs the built library as npm would publish it, and installs the tarball into an empty project outside of the
 * repository. Its dependencies come from the repository's own node_modules, so no registry is asked.
 */
export async function createConsumer(): Promise<Consumer> {
  const base = await mkdtemp(join(tmpdir(), 'weavy-token-package-'))
  const directory = join(base, 'project')
  await mkdir(directory)
  const npm = async (cwd: string, ...args: string[]) =>
    (await run('npm', [...args, '--loglevel=error'], { cwd })).stdout

  // In a copy: npm's scripts make folders that would stand in the way of other tests.
  const source = join(base, 'source')
  for (const name of await readdir(root))
    if (!UNPACKED.includes(name)) await cp(join(root, name), join(source, name), { recursive: true })
  const [packed] = JSON.parse(await npm(source, 'pack', '--json', '--pack-destination', base)) as [
    { filename: string; files: { path: string }[] },
  ]
  const tarball = join(base, packed.filename)
  await writeFile(
    join(directory, 'package.json'),
    '{ "name": "consumer", "private": true, "type": "module" }',
  )
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const dependencies = Object.keys(manifest.dependencies).map(installed)
  await npm(
    directory,
    'install',
    '--ignore-scripts',
    '--offline',
    '--no-audit',
    '--no-fund',
    tarball,
    ...dependencies,
  )

  return {
    directory,
    files: packed.files.map(({ path }) => path),
    async write(name, text) {
      await mkdir(dirname(join(directory, name)), { recursive: true })
      await writeFile(join(directory, name), text)
    },
    read: (name) => readFile(join(directory, name), 'utf8'),
    async node(...args) {
      try {
        const { stdout } = await run(process.execPath, args, { cwd: directory })
        return stdout
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
        throw new Error(`node ${args.join(' ')}\n${stdout}${stderr}`)
      }
    },
    async link(...names) {
      for (const name of names) {
        const target = join(directory, 'node_modules', name)
        await mkdir(dirname(target), { recursive: true })
        await symlink(installed(name), target, 'junction')
      }
    },
    remove: () => rm(base, { recursive: true, force: true }),
  }
}
