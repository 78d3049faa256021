// Changes the source, one expression at a time, and looks whether a unit test notices.
//
//   npm run test:mutation                          all of src; later runs look only at what has changed
//   npm run test:mutation -- src/schedule.ts       these files
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Share of the mutants that a test must notice, in percent. */
const AREAS = [
  { name: 'broker', least: 95, has: (/** @type {string} */ file) => file.startsWith('src/broker/') },
  {
    name: 'everything else',
    least: 97,
    has: (/** @type {string} */ file) => !file.startsWith('src/broker/'),
  },
]

/** @param {string} command @param {string[]} args @param {string} cwd */
const run = (command, args, cwd) => {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync(`${here}node_modules`)) run('npm', ['ci'], here)
const files = process.argv.slice(2)
run(
  process.execPath,
  [
    `${here}node_modules/@stryker-mutator/core/bin/stryker.js`,
    'run',
    'test/mutation/stryker.config.json',
    ...(files.length ? ['--mutate', files.join(',')] : []),
  ],
  root,
)

const report = JSON.parse(readFileSync(`${here}reports/mutation.json`, 'utf8'))
for (const { name, least, has } of AREAS) {
  const mutants = Object.entries(report.files)
    .filter(([file]) => has(file) && (!files.length || files.includes(file)))
    .flatMap(([, file]) => file.mutants)
  const count = (/** @type {string[]} */ ...states) =>
    mutants.filter(({ status }) => states.includes(status)).length
  const noticed = count('Killed', 'Timeout')
  const all = noticed + count('Survived', 'NoCoverage')
  if (!all) continue
  const score = (100 * noticed) / all
  console.log(`${name}: ${noticed} of ${all} mutants noticed, ${score.toFixed(1)} %, at least ${least} %`)
  if (score < least) process.exitCode = 1
}
