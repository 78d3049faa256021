// Finds the programs that the tests run beside Node: three browsers, Redis, PHP and Python. As a command it installs Debian's
// packages of those that are missing, when it may, and otherwise fails with the command that brings them.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, firefox, webkit } from 'playwright'

/**
 * `engine`: Playwright's own build serves as well.
 *
 * @typedef {'chromium' | 'firefox' | 'webkit'} Engine
 * @typedef {{ title: string, package: string, names: string[], brew?: string, variable?: string, engine?: Engine }} Program
 * @typedef {'chromium' | 'firefox' | 'webkit' | 'display' | 'redis' | 'php' | 'python'} ProgramName
 */

/** @type {Record<ProgramName, Program>} */
const PROGRAMS = {
  chromium: {
    title: 'Chromium',
    package: 'chromium',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    variable: 'CHROMIUM_PATH',
    engine: 'chromium',
  },
  firefox: {
    title: 'Firefox',
    package: 'firefox-esr',
    names: ['firefox-esr', 'firefox'],
    variable: 'FIREFOX_PATH',
    engine: 'firefox',
  },
  webkit: { title: 'WebKit', package: 'webkit2gtk-driver', names: ['WebKitWebDriver'], engine: 'webkit' },
  // WebKitGTK draws on it; Playwright's WebKit does without.
  display: { title: 'Xvfb', package: 'xvfb', names: ['Xvfb'], engine: 'webkit' },
  redis: { title: 'Redis', package: 'redis-server', brew: 'redis', names: ['redis-server'] },
  php: { title: 'PHP', package: 'php-cli', brew: 'php', names: ['php'] },
  python: { title: 'Python', package: 'python3', brew: 'python', names: ['python3'] },
}
const ALL = /** @type {ProgramName[]} */ (Object.keys(PROGRAMS))

const PLAYWRIGHT = { chromium, firefox, webkit }
const DIRECTORIES = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/homebrew/bin']

/** What a search looks at, so that a test can hand in another machine. */
const thisMachine = () => ({
  env: process.env,
  exists: (/** @type {string} */ path) => existsSync(path),
  platform: /** @type {string} */ (process.platform),
  isRoot: process.getuid?.() === 0,
  release: existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '',
  playwrightPath: (/** @type {Engine} */ engine) => PLAYWRIGHT[engine].executablePath(),
})
/** @typedef {ReturnType<typeof thisMachine>} Machine */

/**
 * The path of a program, and whether it is Playwright's own build. A path that was asked for is used or reported
 * missing, never replaced by another program. The system's come first.
 *
 * @param {ProgramName} name
 * @param {Machine} machine
 */
export function find(name, machine = thisMachine()) {
  const { names, variable, engine } = PROGRAMS[name]
  const asked = variable && machine.env[variable]
  const directories = [...(machine.env.PATH ?? '').split(delimiter), ...DIRECTORIES]
  const paths = asked ? [asked] : names.flatMap((file) => directories.map((at) => join(at, file)))
  const path = paths.find(machine.exists)
  if (path) return { path, playwrights: false }
  const build = engine && !asked && machine.playwrightPath(engine)
  return build && machine.exists(build) ? { path: build, playwrights: true } : undefined
}

/** Path of Chromium or Chrome; `undefined` where there is none. */
export const chromiumPath = () => find('chromium')?.path

/**
 * What is missing on a machine, and the commands that bring it.
 *
 * @param {Machine} machine
 */
export function missing(machine = thisMachine()) {
  const wrong = ALL.map((name) => PROGRAMS[name].variable)
    .filter((variable) => variable !== undefined)
    .filter((variable) => machine.env[variable] && !machine.exists(machine.env[variable]))
  const absent = ALL.map((name) => ({ ...PROGRAMS[name], found: find(name, machine) })).filter(
    ({ found, variable }) => !found && !(variable && wrong.includes(variable)),
  )
  return { wrong, titles: absent.map(({ title }) => title), commands: commandsFor(absent, machine) }
}

/** Ubuntu has packages of the same names that bring a snap instead, so only Debian itself will do. */
const isDebian = (/** @type {Machine} */ { release }) => /^ID="?debian"?$/m.test(release)

/**
 * @param {Program[]} absent
 * @param {Machine} machine
 * @returns {string[][]}
 */
function commandsFor(absent, machine) {
  if (!absent.length) return []
  const packages = absent.map((program) => program.package)
  const apt = machine.isRoot ? ['apt-get'] : ['sudo', 'apt-get']
  if (isDebian(machine))
    return [
      [...apt, 'update'],
      [...apt, 'install', '-y', '--no-install-recommends', ...packages],
    ]
  const engines = [...new Set(absent.flatMap(({ engine }) => engine ?? []))]
  const others = absent.filter(({ engine }) => !engine)
  const playwrights = ['npx', 'playwright', 'install', ...engines]
  return [
    ...(engines.length ? [machine.platform === 'linux' ? [...playwrights, '--with-deps'] : playwrights] : []),
    ...(others.length
      ? [
          machine.platform === 'darwin'
            ? ['brew', 'install', ...others.map(({ brew, package: name }) => brew ?? name)]
            : [...apt, 'install', '-y', ...others.map((program) => program.package)],
        ]
      : []),
  ]
}

/** @param {string[]} command */
const run = ([program = '', ...args]) =>
  execFileSync(program, args, {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })

function main() {
  const machine = thisMachine()
  if (machine.isRoot && isDebian(machine)) for (const command of missing(machine).commands) run(command)
  const { wrong, titles, commands } = missing(machine)
  for (const variable of wrong) console.error(`${variable} is set to a file that does not exist.`)
  if (titles.length)
    console.error(`Missing for the tests: ${titles.join(', ')}. This brings what is missing:`)
  for (const command of commands) console.error(`  ${command.join(' ')}`)
  if (wrong.length || titles.length) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
