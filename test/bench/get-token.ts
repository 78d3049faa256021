// What a cached token costs in time and in bytes: ours against a bare async function with the same two clock checks, and
// the token functions of other libraries beside it. Measures `dist`, so build first. Exits with 1 over the bound.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Auth0Client, CacheKey, InMemoryCache } from '@auth0/auth0-spa-js'
import type { TokenCredential } from '@azure/core-auth'
import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineRequest,
} from '@azure/core-rest-pipeline'
import { memoize } from '@smithy/property-provider'
import { AuthClient } from '@supabase/auth-js'
import { build } from 'esbuild'
import { InMemoryWebStorage, User, UserManager, WebStorageStateStore } from 'oidc-client-ts'
import { createTokenSource } from '../../dist/index.js'

const MAX_RATIO = 1.3
const ROUNDS = 40
const WARM_UP_ROUNDS = 4
const CALLS = 50_000
const TOKEN = 'wyu_0123456789abcdefghijklmnopqrstuvwxyz'
const LIFETIME_S = 3600
const EXPIRES_AT = Math.floor(Date.now() / 1000) + LIFETIME_S

interface Candidate {
  readonly title: string
  /** The cached call, in the library's own shape: nothing of ours is measured with it. */
  call(): Promise<unknown>
  tokenOf(answer: unknown): unknown
  end(): unknown
}

const candidate = <T>(
  title: string,
  call: () => Promise<T>,
  tokenOf: (answer: T) => unknown,
  end: () => unknown = () => {},
): Candidate => ({ title, call, tokenOf: (answer) => tokenOf(answer as T), end })

/** Brings a token once: a cache that asks again is not what this measures. */
function once<T>(token: T): () => Promise<T> {
  let asked = false
  return async () => {
    if (asked) {
      console.error('A cache asked for another token.')
      process.exit(1)
    }
    asked = true
    return token
  }
}

function bare(): Candidate {
  const wall = Date.now() + LIFETIME_S * 1000
  const mono = performance.now() + LIFETIME_S * 1000
  return candidate(
    'bare `async` function that reads both clocks',
    async () => {
      if (Date.now() < wall && performance.now() < mono) return TOKEN
      throw new Error('The token has expired.')
    },
    (token) => token,
  )
}

function ours(): Candidate {
  const source = createTokenSource({ fetchToken: once({ access_token: TOKEN, expires_in: LIFETIME_S }) })
  return candidate('weavy-token `getToken`', source.getToken, (token) => token, source.close)
}

/** Its own in-memory cache, filled as a login fills it. Neither reads `window` while the cache answers. */
async function auth0(): Promise<Candidate> {
  const key = { clientId: 'app', audience: 'default', scope: 'openid profile email' }
  const claims = { __raw: '', sub: 'u256' }
  const body = { client_id: 'app', access_token: TOKEN, expires_in: LIFETIME_S }
  const idToken = { id_token: 'header.claims.signature', decodedToken: { claims, user: { sub: 'u256' } } }
  const cache = new InMemoryCache().enclosedCache
  await cache.set(new CacheKey(key).toKey(), { body, expiresAt: EXPIRES_AT })
  await cache.set(new CacheKey({ clientId: 'app' }, undefined, '@@user@@').toKey(), idToken)
  const client = new Auth0Client({ domain: 'id.example', clientId: 'app', cache })
  return candidate(
    '`getTokenSilently`',
    () => client.getTokenSilently(),
    (token) => token,
  )
}

async function oidc(): Promise<Candidate> {
  const userStore = new WebStorageStateStore({ store: new InMemoryWebStorage() })
  const urls = { authority: 'https://id.example', redirect_uri: 'https://app.example' }
  const users = new UserManager({ ...urls, client_id: 'app', userStore, stateStore: userStore })
  const profile = { iss: urls.authority, sub: 'u256', aud: 'app', exp: EXPIRES_AT, iat: 0 }
  await users.storeUser(
    new User({ access_token: TOKEN, token_type: 'Bearer', profile, expires_at: EXPIRES_AT }),
  )
  return candidate(
    '`getUser`',
    () => users.getUser(),
    (user) => user?.access_token,
    async () => {
      users.stopSilentRenew()
      await users.removeUser()
    },
  )
}

async function supabase(): Promise<Candidate> {
  const tokens = { access_token: TOKEN, refresh_token: 'refresh', token_type: 'bearer' }
  const session = { ...tokens, expires_in: LIFETIME_S, expires_at: EXPIRES_AT, user: { id: 'u256' } }
  const items = new Map([['session', JSON.stringify(session)]])
  const client = new AuthClient({
    url: 'https://id.example',
    storageKey: 'session',
    storage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
    },
  })
  await client.initialize()
  return candidate(
    '`getSession`',
    () => client.getSession(),
    ({ data }) => data.session?.access_token,
    () => client.stopAutoRefresh(),
  )
}

function smithy(): Candidate {
  const provider = once({ token: TOKEN, expiration: new Date(EXPIRES_AT * 1000) })
  const memoized = memoize(
    provider,
    ({ expiration }) => expiration.getTime() - Date.now() < 300_000,
    ({ expiration }) => expiration !== undefined,
  )
  return candidate('`memoize`', memoized, ({ token }) => token)
}

/** It has no token function of its own: a whole `sendRequest`, on to nothing. */
function azure(): Candidate {
  const credential: TokenCredential = {
    getToken: once({ token: TOKEN, expiresOnTimestamp: EXPIRES_AT * 1000 }),
  }
  const policy = bearerTokenAuthenticationPolicy({ credential, scopes: 'api' })
  const request = createPipelineRequest({ url: 'https://api.example' })
  const response = { request, status: 200, headers: createHttpHeaders() }
  const next = async () => response
  return candidate(
    '`bearerTokenAuthenticationPolicy().sendRequest`',
    () => policy.sendRequest(request, next),
    ({ request: { headers } }) => {
      const value = headers.get('Authorization')
      // The next round has to set it again.
      headers.delete('Authorization')
      return value?.replace('Bearer ', '')
    },
  )
}

/**
 * Nanoseconds of processor time per call, so that a busy machine does not count. One loop for all, so that the compiler
 * treats all alike.
 */
async function round({ title, call, tokenOf }: Candidate): Promise<number> {
  let answer: unknown
  const start = process.cpuUsage()
  for (let i = 0; i < CALLS; i += 1) answer = await call()
  const { user, system } = process.cpuUsage(start)
  if (tokenOf(answer) !== TOKEN) throw new Error(`${title} did not bring the token`)
  return ((user + system) * 1000) / CALLS
}

const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Each round is judged against the base rounds beside it: the rest of the machine disturbs both alike. */
async function compare(base: Candidate, other: Candidate) {
  const ns: number[] = []
  const baseNs: number[] = []
  const ratios: number[] = []
  for (let n = 0; n < ROUNDS; n += 1) {
    const before = await round(base)
    const mine = await round(other)
    const after = await round(base)
    ns.push(mine)
    baseNs.push(before, after)
    ratios.push((2 * mine) / (before + after))
  }
  return { ns: median(ns), baseNs: median(baseNs), ratio: median(ratios) }
}

/** Bytes of a browser bundle that exports this, minified and compressed. */
async function sizeOf(code: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL('../..', import.meta.url)) },
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (!file || file.text.length < 200) throw new Error(`Nothing was bundled for ${code}`)
  return gzipSync(file.contents, { level: 9 }).length
}

const nameAndVersion = (name: string) => {
  const path = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${JSON.parse(readFileSync(path, 'utf8')).version}`
}

/** Whose call it is, and the smallest import that gives it. */
const others: [name: string, exported: string, other: Candidate][] = [
  ['@auth0/auth0-spa-js', 'Auth0Client', await auth0()],
  ['oidc-client-ts', 'UserManager', await oidc()],
  ['@supabase/auth-js', 'AuthClient', await supabase()],
  ['@smithy/property-provider', 'memoize', smithy()],
  ['@azure/core-rest-pipeline', 'bearerTokenAuthenticationPolicy', azure()],
]
const base = bare()
const source = ours()
const candidates = [base, source, ...others.map(([, , other]) => other)]

// Everything has seen the shared loop before the first figure counts; a wrong token throws here already.
for (let n = 0; n < WARM_UP_ROUNDS; n += 1) for (const each of candidates) await round(each)

const row = (...cells: string[]) => console.log(`| ${cells.join(' | ')} |`)
const bytes = async (code: string) => (await sizeOf(code)).toFixed(0)
const ENTRY = './dist/index.js'
const SOURCE = `export { createTokenSource } from '${ENTRY}'`
const WHOLE = `export * from '${ENTRY}'`

const { ns, baseNs, ratio } = await compare(base, source)
row('cached token call', 'CPU ns', 'of the bare function', 'bound', 'min+gzip, bytes')
row('---', '---:', '---:', '---:', '---:')
row(base.title, baseNs.toFixed(0), '1.00', '', '')
row(source.title, ns.toFixed(0), ratio.toFixed(2), `<= ${MAX_RATIO}`, await bytes(SOURCE))
row('weavy-token, the whole entry', '', '', '', await bytes(WHOLE))
for (const [name, exported, other] of others) {
  const { ns, ratio } = await compare(base, other)
  const size = await bytes(`export { ${exported} } from '${name}'`)
  row(`${nameAndVersion(name)} ${other.title}`, ns.toFixed(0), ratio.toFixed(2), '', size)
}
for (const { end } of candidates) await end()

if (ratio > MAX_RATIO) {
  console.error('The bound was missed.')
  process.exitCode = 1
}
