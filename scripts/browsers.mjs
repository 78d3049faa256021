import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const NEEDED = {
  chromium: {
    package: 'chromium',
    paths: [
      process.env.CHROMIUM_PATH,
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
      '/usr/bin/google-chrome',
    ],
  },
  firefox: {
    package: 'firefox-esr',
    paths: [process.env.FIREFOX_PATH, '/usr/bin/firefox-esr', '/usr/bin/firefox'],
  },
}

const find = ({ paths }) => paths.find((path) => path && existsSync(path))

export const chromiumPath = () => find(NEEDED.chromium)
export const firefoxPath = () => find(NEEDED.firefox)
