// Tries the packed library in tools that are too large for `npm test`. Each folder of test/matrix is a project of its
// own: package.json, package-lock.json, and run.mjs, which ends with status 0 when all is well. What several of them
// share lies beside them.
//
//   npm run test:matrix                     all folders
//   npm run test:matrix -- jest-29 webpack  these
//   npm run test:matrix -- --lock webpack   writes the lock file of a folder whose package.json has changed
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumPath } from './browsers.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const matrix = join(root, 'test/matrix')
const LIMIT_MS = 4 * 60_000

const running = new Set()

/** Runs a command and resolves with what it printed on standard output; rejects with all that it printed. */
const run = (command, args, cwd, env = {}) =>
  new Promise((resolve, reject) => {
    // A group of its own, so that a folder's servers end with it.
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true })
    running.add(child)
    let out = ''
    let all = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
      all += chunk
    })
    child.stderr.on('data', (chunk) => {
      all += chunk
    })
    const timer = setTimeout(() => {
      all += `\nIt took longer than ${LIMIT_MS / 60_000} minutes.`
      end(child)
    }, LIMIT_MS)
    const finish = (status) => {
      clearTimeout(timer)
      running.delete(child)
      if (status === 0) resolve(out)
      else reject(new Error(`${command} ${args.join(' ')}\n${all.slice(-6000)}`))
    }
    child.on('error', (error) => {
      all += error.message
      finish(1)
    })
    child.on('close', (status) => {
      end(child)
      finish(status)
    })
  })

/** Ends a command and whatever it started. */
const end = (child) => {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

const npm = (cwd, ...args) => run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], cwd)

/** Names of the projects, and of what they share. */
const readMatrix = async () => {
  const entries = await readdir(matrix, { withFileTypes: true })
  const names = (wanted) => entries.filter((entry) => entry.isDirectory() === wanted).map(({ name }) => name)
  return { known: names(true), shared: names(false) }
}

const lock = (names) =>
  Promise.all(
    names.map((name) =>
      npm(
        join(matrix, name),
        'install',
        '--package-lock-only',
        '--ignore-scripts',
        '--omit-lockfile-registry-resolved',
      ),
    ),
  )

/** Installs a copy of one folder with the tarball, runs it, and takes it away. */
const tryFolder = async (base, tarball, name) => {
  const directory = join(base, name)
  const started = performance.now()
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
  try {
    await cp(join(matrix, name), directory, { recursive: true })
    await npm(directory, 'ci', '--prefer-offline')
    await npm(
      directory,
      'install',
      tarball,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--prefer-offline',
    )
    const installed = seconds()
    const env = {
      WEAVY_TOKEN_TARBALL: tarball,
      WEAVY_TOKEN_ROOT: root,
      CHROMIUM_PATH: chromiumPath() ?? '',
      npm_config_yes: 'false',
    }
    await run(process.execPath, ['run.mjs'], directory, env)
    console.log(`passed  ${name}  ${seconds()}, of that ${installed} to install`)
    return true
  } catch (error) {
    console.log(`FAILED  ${name}  ${seconds()}\n${error.message.replaceAll(/^/gm, '        ')}`)
    return false
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

const main = async ([first, ...rest]) => {
  const { known, shared } = await readMatrix()
  const asked = first === '--lock' ? rest : first === undefined ? [] : [first, ...rest]
  const unknown = asked.filter((name) => !known.includes(name))
  if (unknown.length) throw new Error(`no folder ${unknown.join(', ')} in test/matrix: ${known.join(', ')}`)
  const names = asked.length ? asked : known
  if (first === '--lock') return lock(names)

  const base = await mkdtemp(join(tmpdir(), 'weavy-token-matrix-'))
  const cleanUp = () => rm(base, { recursive: true, force: true, maxRetries: 3 })
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, async () => {
      for (const child of running) end(child)
      await cleanUp()
      process.exit(1)
    })
  try {
    const [packed] = JSON.parse(await npm(root, 'pack', '--json', '--pack-destination', base))
    const tarball = join(base, packed.filename)
    for (const name of shared) await cp(join(matrix, name), join(base, name))
    const queue = [...names]
    let passed = 0
    // One installs while another computes.
    const work = async () => {
      for (let name = queue.shift(); name; name = queue.shift())
        if (await tryFolder(base, tarball, name)) passed++
    }
    await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
    console.log(`${passed} passed, ${names.length - passed} failed`)
    if (passed < names.length) process.exitCode = 1
  } finally {
    await cleanUp()
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
