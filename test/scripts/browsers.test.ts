import { describe, expect, test } from 'vitest'
import { find, missing } from '../../scripts/browsers.mjs'

const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'
const UBUNTU = 'ID=ubuntu\nID_LIKE=debian\n'

const machine = (files: string[], options: Partial<NonNullable<Parameters<typeof missing>[0]>> = {}) => ({
  env: { PATH: '/usr/bin' } as NodeJS.ProcessEnv,
  exists: (path: string) => files.includes(path),
  platform: 'linux',
  isRoot: true,
  release: DEBIAN,
  playwrightPath: (engine: string) => `/home/ada/playwright/${engine}`,
  ...options,
})

const SYSTEM = ['chromium', 'firefox-esr', 'WebKitWebDriver', 'Xvfb', 'redis-server', 'php', 'python3'].map(
  (name) => `/usr/bin/${name}`,
)
const PLAYWRIGHTS = ['chromium', 'firefox', 'webkit'].map((name) => `/home/ada/playwright/${name}`)

const lines = (of: ReturnType<typeof machine>) => missing(of).commands.map((command) => command.join(' '))

describe('what is there', () => {
  test('the system’s browsers are found, and come before Playwright’s', () => {
    const both = machine([...SYSTEM, ...PLAYWRIGHTS])
    expect(find('chromium', both)).toEqual({ path: '/usr/bin/chromium', playwrights: false })
    expect(find('firefox', both)).toEqual({ path: '/usr/bin/firefox-esr', playwrights: false })
    expect(find('webkit', both)).toEqual({ path: '/usr/bin/WebKitWebDriver', playwrights: false })
    expect(missing(both)).toEqual({ wrong: [], titles: [], commands: [] })
  })

  test('the browsers that Playwright installed are found on a machine that has no others', () => {
    const other = machine(
      [...PLAYWRIGHTS, ...['redis-server', 'php', 'python3'].map((name) => `/opt/homebrew/bin/${name}`)],
      {
        platform: 'darwin',
        isRoot: false,
        release: '',
      },
    )
    for (const engine of ['chromium', 'firefox', 'webkit'] as const)
      expect(find(engine, other)).toEqual({ path: `/home/ada/playwright/${engine}`, playwrights: true })
    expect(missing(other)).toEqual({ wrong: [], titles: [], commands: [] })
  })

  test('a path that was asked for is never replaced by another program', () => {
    const env = { PATH: '/usr/bin', CHROMIUM_PATH: '/opt/old/chrome' }
    const gone = machine([...SYSTEM, ...PLAYWRIGHTS], { env })
    expect(find('chromium', gone)).toBeUndefined()
    expect(missing(gone)).toEqual({ wrong: ['CHROMIUM_PATH'], titles: [], commands: [] })
    expect(find('chromium', machine(['/opt/old/chrome'], { env }))?.path).toBe('/opt/old/chrome')
  })
})

describe('the commands that bring what is missing', () => {
  const WITHOUT_WEBKIT = SYSTEM.filter((path) => !/WebKit|Xvfb/.test(path))

  test('Debian: its packages, and sudo for who is not root', () => {
    expect(lines(machine(WITHOUT_WEBKIT))).toEqual([
      'apt-get update',
      'apt-get install -y --no-install-recommends webkit2gtk-driver xvfb',
    ])
    expect(lines(machine(WITHOUT_WEBKIT, { isRoot: false }))[0]).toBe('sudo apt-get update')
  })

  test('Ubuntu, whose browser packages are snaps: Playwright’s builds, and its packages', () => {
    expect(lines(machine([], { release: UBUNTU, isRoot: false }))).toEqual([
      'npx playwright install chromium firefox webkit --with-deps',
      'sudo apt-get install -y redis-server php-cli python3',
    ])
  })

  test('macOS: Playwright’s builds, and Homebrew’s packages', () => {
    expect(lines(machine([], { release: '', platform: 'darwin', isRoot: false }))).toEqual([
      'npx playwright install chromium firefox webkit',
      'brew install redis php python',
    ])
    expect(missing(machine([])).titles).toEqual([
      'Chromium',
      'Firefox',
      'WebKit',
      'Xvfb',
      'Redis',
      'PHP',
      'Python',
    ])
  })
})
