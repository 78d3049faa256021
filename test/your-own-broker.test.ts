import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { digestOf } from '../src/wire.js'
import { blocksOf } from './documented.js'

const blocks = blocksOf('docs/your-own-broker.md')
const UID = 'acmeuser-1 å'

/** How each language runs a block of its own, a hundred seconds after Weavy has answered. */
const languages = {
  js: {
    command: [process.execPath, '--input-type=module', '--eval'],
    around: (kept: string, body: string) =>
      `import { createHash } from 'node:crypto'
      const uid = '${UID}', answer = { access_token: 'wyu_1', expires_in: 3600 }
      ${kept}
      kept.expiresAt -= 100_000
      ${body}
      console.log(JSON.stringify(body))`,
  },
  php: {
    command: ['php', '-r'],
    around: (kept: string, body: string) =>
      `$uid = '${UID}'; $answer = ['access_token' => 'wyu_1', 'expires_in' => 3600];
      ${kept}
      $kept['expires_at'] -= 100;
      ${body}
      echo json_encode($body);`,
  },
  python: {
    command: ['python3', '-c'],
    around: (kept: string, body: string) =>
      `import base64, hashlib, json, time
uid, answer = '${UID}', {"access_token": "wyu_1", "expires_in": 3600}
${kept}
kept["expires_at"] -= 100
${body}
print(json.dumps(body))`,
  },
}

// A machine of one's own may lack a language. In CI none is skipped.
const isHere = ([program = '']: string[]) =>
  Boolean(process.env.CI) || !spawnSync(program, ['--version'], { stdio: 'ignore' }).error
const here = Object.entries(languages).filter(([, { command }]) => isHere(command))

test.each(here)('the lines in %s answer what remains, and our sub', async (name, language) => {
  const [kept = '', body = ''] = blocks.get(name)?.split('\n\n') ?? []
  const [command = '', ...args] = language.command
  const { stdout, stderr, error } = spawnSync(command, [...args, language.around(kept, body)], {
    encoding: 'utf8',
  })
  expect(error, `${command} is missing`).toBeUndefined()
  expect(stderr).toBe('')
  const answer = JSON.parse(stdout)
  expect(answer).toEqual({
    access_token: 'wyu_1',
    expires_in: expect.any(Number),
    sub: await digestOf(UID),
  })
  expect(Math.abs(answer.expires_in - 3498)).toBeLessThanOrEqual(2)
})
