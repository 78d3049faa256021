import { isLoopback } from '../wire.js'
import type { AllowedOrigins } from './access.js'
import { describeError } from './describe-error.js'
import { DEFAULT_EXPIRES_IN, type TokenBrokerOptions } from './options.js'
import { Problem } from './problem.js'
import { RESERVED_FIELDS } from './profile.js'
import { defaultLog } from './report.js'
import type { TokenStore } from './store.js'
import { isUnawaited } from './within.js'

const MAX_EXPIRES_IN = 365 * 24 * 60 * 60

function checkWeavyUrl(weavyUrl: string | URL | undefined): string {
  if (!weavyUrl) {
    throw new TypeError('weavyUrl is missing: give the URL of your Weavy environment, https://….weavy.io')
  }
  if (!URL.canParse(weavyUrl)) throw new TypeError('weavyUrl must be an absolute URL')
  const { protocol, hostname, origin, pathname, search, hash, username, password } = new URL(weavyUrl)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    throw new TypeError(
      'weavyUrl must be https:, or http: on a loopback host, because the API key is sent there',
    )
  }
  if (search || hash || username || password) {
    throw new TypeError('weavyUrl must have no user name, password, query or fragment')
  }
  return `${origin}${pathname.replace(/\/+$/, '')}`
}

function checkApiKey(apiKey: string | undefined): string {
  if (!apiKey) throw new TypeError('apiKey is missing: give an API key of your Weavy environment, wys_…')
  if (typeof apiKey !== 'string' || !/^wys_[!-~]+$/.test(apiKey)) {
    throw new TypeError('apiKey must start with wys_ and hold printable characters only, no white space')
  }
  return apiKey
}

/** A value is checked now; what a function returns is checked whenever it is another than the last time. */
function asked<T, Checked>(name: string, value: T | (() => T), check: (value: T) => Checked): () => Checked {
  if (typeof value !== 'function') {
    const checked = check(value)
    return () => checked
  }
  const ask = value as () => T
  let last: { value: T; checked: Checked } | undefined
  const answer = () => {
    try {
      return ask()
    } catch (error) {
      throw new Problem('broker_failed', `${name}() threw ${describeError(error)}`)
    }
  }
  return () => {
    const value = answer()
    if (isUnawaited(value))
      throw new Problem('broker_failed', `${name}() must return a string at once, no promise.`)
    if (last && last.value === value) return last.checked
    try {
      last = { value, checked: check(value) }
    } catch (error) {
      // The message is one of this file and quotes nothing.
      throw new Problem('broker_failed', (error as TypeError).message)
    }
    return last.checked
  }
}

function checkExpiresIn(expiresIn: number): number {
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MAX_EXPIRES_IN) {
    throw new TypeError(`expiresIn must be a whole number of seconds from 1 to ${MAX_EXPIRES_IN}`)
  }
  return expiresIn
}

function isExactOrigin(origin: unknown): boolean {
  if (typeof origin !== 'string' || !/^[a-z][a-z\d+.-]*:\/\/[^/\\\s?#@*]+$/.test(origin)) return false
  // Only of these does URL know the origin; app shells have their own, such as capacitor://localhost.
  return !/^https?:/.test(origin) || (URL.canParse(origin) && new URL(origin).origin === origin)
}

function checkAllowedOrigins(
  allowedOrigins: NonNullable<TokenBrokerOptions['allowedOrigins']>,
): AllowedOrigins | undefined {
  if (typeof allowedOrigins === 'function') return allowedOrigins
  if (!Array.isArray(allowedOrigins) || !allowedOrigins.every(isExactOrigin)) {
    throw new TypeError(
      "allowedOrigins must be an array of exact origins such as 'https://app.example': no '*', no 'null', no path; or a function",
    )
  }
  const allowed = new Set(allowedOrigins)
  return allowed.size > 0 ? (origin) => allowed.has(origin) : undefined
}

function checkProfileFields(names: readonly string[]): readonly string[] {
  const isField = (name: unknown) =>
    typeof name === 'string' && name !== '' && !RESERVED_FIELDS.includes(name)
  if (!Array.isArray(names) || !names.every(isField)) {
    throw new TypeError(
      `profileFields must be an array of names of fields, without ${RESERVED_FIELDS.join(', ')}`,
    )
  }
  return names
}

function checkStore(store: TokenStore | undefined): TokenStore | undefined {
  const methods = ['get', 'set', 'delete'] as const
  if (store !== undefined && !methods.every((method) => typeof store?.[method] === 'function')) {
    throw new TypeError('store must have the methods get, set and delete, as a Keyv instance has')
  }
  return store
}

function checkFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

/** Checks every option once. @throws {TypeError} naming the option and its bound, never its value */
export function checkOptions<Context>(options: TokenBrokerOptions<Context>) {
  const {
    weavyUrl,
    apiKey,
    user,
    expiresIn = DEFAULT_EXPIRES_IN,
    syncProfile = false,
    profileFields = [],
    allowedOrigins = [],
    store,
    fetch = (...args) => globalThis.fetch(...args),
    log = defaultLog,
    onEvent,
  } = options
  if ('document' in globalThis) {
    throw new TypeError('createTokenBroker() is for servers: in a page everybody could read the apiKey')
  }
  if (typeof syncProfile !== 'boolean') throw new TypeError('syncProfile must be true or false')
  return {
    weavyUrl: asked('weavyUrl', weavyUrl, checkWeavyUrl),
    apiKey: asked('apiKey', apiKey, checkApiKey),
    user: checkFunction('user', user),
    expiresIn: checkExpiresIn(expiresIn),
    syncProfile,
    profileFields: checkProfileFields(profileFields),
    allowedOrigins: checkAllowedOrigins(allowedOrigins),
    store: checkStore(store),
    fetch: checkFunction('fetch', fetch),
    log: checkFunction('log', log),
    onEvent: onEvent === undefined ? undefined : checkFunction('onEvent', onEvent),
  }
}
