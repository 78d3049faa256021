import { parseArgs } from 'node:util'
import { checkBroker } from './check-broker.js'
import type { Finding } from './finding.js'

const USAGE = `Usage: weavy-token check <tokenUrl> [options]

Asks a token broker as a page would, and prints what it promises and what it does not.

  --header 'name: value'  sent with each request, the session of a signed-in user: 'cookie: …' (may be repeated)
  --origin <origin>       an origin whose pages are to be served
  --weavy-url <url>       the Weavy environment, where the token is then tried
  --json                  prints findings as JSON

Exit status: 0, 1 when something fails, 2 for wrong usage. No secret is printed.
`

export interface Terminal {
  out(text: string): void
  error(text: string): void
  readonly hasColours: boolean
  wait(ms: number): Promise<unknown>
}

class UsageError extends Error {}

const urlOf = (option: string, value: string): URL => {
  if (!URL.canParse(value) || !/^https?:/.test(value))
    throw new UsageError(`${option} must be a URL: https://…`)
  const url = new URL(value)
  // fetch takes none.
  if (url.username || url.password)
    throw new UsageError(`${option} must be without a password, as for a page: --header 'authorization: …'`)
  return url
}

const headersOf = (lines: readonly string[]): Headers => {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      // No name is empty.
      headers.append(line.slice(0, Math.max(colon, 0)), line.slice(colon + 1))
    } catch {
      throw new UsageError("--header must be 'name: value'")
    }
  }
  return headers
}

function optionsOf(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      header: { type: 'string', multiple: true },
      origin: { type: 'string' },
      'weavy-url': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  const [command, tokenUrl, ...more] = positionals
  if (command !== 'check') throw new UsageError('The command is: check')
  if (tokenUrl === undefined || more.length) throw new UsageError('Give one tokenUrl')
  const weavyUrl = values['weavy-url']
  return {
    tokenUrl: urlOf('tokenUrl', tokenUrl),
    headers: headersOf(values.header ?? []),
    origin: values.origin === undefined ? undefined : urlOf('--origin', values.origin).origin,
    weavyUrl: weavyUrl === undefined ? undefined : urlOf('--weavy-url', weavyUrl),
    isJson: values.json ?? false,
  }
}

const MARKS = { ok: ['✓', 32], warn: ['!', 33], fail: ['✗', 31], skip: ['-', 90] } as const

const lineOf = ({ promise, result, asked, came, why, change }: Finding, hasColours: boolean): string => {
  const [mark, colour] = MARKS[result]
  const painted = hasColours ? `\u001b[${colour}m${mark}\u001b[0m` : mark
  const advice = why === undefined ? '' : `\n    ${why}\n    → ${change}`
  return `${painted} ${promise}: ${came} (${asked})${advice}\n`
}

/** Runs the command and resolves with its exit status. */
export async function run(
  args: readonly string[],
  { out, error, hasColours, wait }: Terminal,
): Promise<number> {
  let options: ReturnType<typeof optionsOf>
  try {
    options = optionsOf(args)
  } catch (problem) {
    error(`${(problem as Error).message}\n\n${USAGE}`)
    return 2
  }
  if (!options) {
    out(USAGE)
    return 0
  }
  const findings = await checkBroker({ ...options, wait })
  const failed = findings.filter(({ result }) => result === 'fail').length
  const warned = findings.filter(({ result }) => result === 'warn').length
  if (options.isJson) out(`${JSON.stringify({ failed, warned, findings }, null, 2)}\n`)
  else {
    for (const finding of findings) out(lineOf(finding, hasColours))
    out(`\n${findings.length} promises looked at: ${failed} not kept, ${warned} could be better.\n`)
  }
  return failed ? 1 : 0
}
