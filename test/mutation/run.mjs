// Changes the source, one expression at a time, and looks whether a unit test notices.
//
//   npm run test:mutation                          all of src; later runs look only at what has changed
//   npm run test:mutation -- src/schedule.ts       these files
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EQUIVALENT } from './equivalent.mjs'

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

/** The mutants of a file, with what they change. @param {[string, { source: string, mutants: any[] }]} entry */
const mutantsOf = ([file, { source, mutants }]) => {
  const lines = source.split('\n')
  const ends = lines.map((_, n) => lines.slice(0, n).join('\n').length + Number(n > 0))
  /** @param {{ line: number, column: number }} at */
  const offset = ({ line, column }) => (ends[line - 1] ?? 0) + column - 1
  return mutants.map(({ status, replacement, location }) => ({
    file,
    line: location.start.line,
    on: lines[location.start.line - 1]?.trim(),
    status,
    code: source.slice(offset(location.start), offset(location.end)),
    becomes: String(replacement),
  }))
}

/** @param {string} code */
const plain = (code) => code.replace(/\s+/g, ' ')

/** An entry that does not say where its code is must not excuse it anywhere else. @param {{ file: string, on: string, code: string, becomes: string }} mutant */
const isListed = ({ file, on, code, becomes }) =>
  EQUIVALENT.some(
    (known) =>
      known.file === file &&
      plain(known.code) === plain(code) &&
      plain(known.becomes) === plain(becomes) &&
      known.on === (isOnce(file, code) ? undefined : on),
  )

/** @param {string} file @param {string} code */
const isOnce = (file, code) => plain(report.files[file].source).split(plain(code)).length === 2

for (const { name, least, has } of AREAS) {
  const mutants = Object.entries(report.files)
    .filter(([file]) => has(file) && (!files.length || files.includes(file)))
    .flatMap(mutantsOf)
    .filter(({ status }) => ['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(status))
  if (!mutants.length) continue
  const survivors = mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
  const noticed = mutants.length - survivors.length
  const score = (100 * noticed) / mutants.length
  console.log(`${name}: ${noticed} of ${mutants.length} noticed, ${score.toFixed(1)} %, at least ${least} %`)
  if (score < least) process.exitCode = 1
  for (const survivor of survivors) {
    if (isListed(survivor)) continue
    const { file, line, code, becomes } = survivor
    console.log(`${file}:${line} not noticed: ${plain(code)} -> ${plain(becomes)}`)
    process.exitCode = 1
  }
}
