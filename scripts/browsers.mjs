// Finds the programs that the tests run beside Node: two browsers and Redis. As a command it installs Debian's
// packages of those that are missing, when it may, and otherwise fails saying what to install.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAMS = [
  {
    package: 'chromium',
    variable: 'CHROMIUM_PATH',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  },
  { package: 'firefox-esr', variable: 'FIREFOX_PATH', names: ['firefox-esr', 'firefox'] },
  { package: 'redis-server', variable: undefined, names: ['redis-server'] },
]
const [CHROMIUM, FIREFOX] = PROGRAMS

const DIRECTORIES = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/snap/bin']

/** A path that was asked for is used or reported missing, never replaced by another program. */
const find = ({ variable, names }) => {
  const asked = variable && process.env[variable]
  const paths = asked
    ? [asked]
    : names.flatMap((name) => DIRECTORIES.map((directory) => join(directory, name)))
  return paths.find((path) => existsSync(path))
}

/** Path of Chromium or Chrome; `undefined` where there is none, so that tests without a browser still run. */
export const chromiumPath = () => find(CHROMIUM)
/** Path of Firefox; `undefined` where there is none. */
export const firefoxPath = () => find(FIREFOX)

const missingPrograms = () => PROGRAMS.filter((program) => !find(program))

/** Ubuntu has packages of the same names that bring a snap instead, so only Debian itself will do. */
const isDebianRoot = () =>
  process.getuid?.() === 0 &&
  existsSync('/etc/os-release') &&
  /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'))

const install = (packages) => {
  const apt = (...args) =>
    execFileSync('apt-get', args, {
      stdio: 'inherit',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...packages)
}

const main = () => {
  const installable = missingPrograms().filter(({ variable }) => !(variable && process.env[variable]))
  if (installable.length && isDebianRoot()) install(installable.map((program) => program.package))
  const missing = missingPrograms()
  for (const { package: name, variable } of missing)
    console.error(
      variable && process.env[variable]
        ? `${variable} is set to a file that does not exist.`
        : `${name} is missing: install it${variable ? `, or set ${variable} to its path` : ''} (Debian: apt-get install ${name}).`,
    )
  if (missing.length) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
