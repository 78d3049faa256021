// What a runtime that is not Node has to do with the package as it is in node_modules.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

const PROGRAM = `
import { createTokenSource, TokenError } from 'weavy-token'
import { createTokenBroker, toUid } from 'weavy-token/broker'
let issued = 0
const weavy = async () => Response.json({ access_token: 'wyu_' + ++issued, expires_in: 3600 })
const user = () => ({ uid: toUid(1) })
const broker = createTokenBroker({ weavyUrl: 'https://weavy.example', apiKey: 'wys_1', user, fetch: weavy })
const fetch = (...args) => broker.fetch(new Request(...args))
const source = createTokenSource({ tokenUrl: 'https://app.example/api/token', fetch })
const first = await source.getToken()
const second = await source.getToken({ rejected: first })
const signedOut = createTokenSource({ tokenUrl: 'https://app.example/api/token', user: null })
const error = await signedOut.getToken().catch((error) => error)
console.log(first, second, source.getState().status, error instanceof TokenError && error.code)
`

/** It runs a page's source against the broker, and ends by itself. */
export function checkRuntime(command, args) {
  writeFileSync('program.mjs', PROGRAM)
  const printed = execFileSync(command, [...args, 'program.mjs'], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(printed, 'wyu_1 wyu_2 ready signed_out\n')
}
