import type { Answer, AskBroker } from './ask-broker.js'
import { about, type Finding } from './finding.js'

/** What carries a session. */
const SESSION_HEADERS = ['cookie', 'authorization', 'proxy-authorization']
const FOREIGN = 'https://foreign.example'

const closed = about({
  promise: 'Without a session: 401',
  why: 'A page knows by 401 that its user has to sign in.',
  change: 'Answer 401 when nobody is signed in.',
})
const foreign = about({
  promise: 'Pages of another origin get nothing',
  why: 'Any page on the web could read the token of a user who visits it.',
  change:
    "Do not return the request's Origin in Access-Control-Allow-Origin. Name the origins that you trust.",
})
const shared = about({
  promise: 'Pages of --origin can read the answer',
  why: 'Without CORS a browser hides the answer from them.',
  change:
    'Answer Access-Control-Allow-Origin with that origin, Access-Control-Allow-Credentials: true and Vary: Origin (our broker: allowedOrigins).',
})
const preflight = about({
  promise: 'A preflight of --origin is answered',
  why: 'A page that sends a header of its own asks with OPTIONS first.',
  change:
    'Answer OPTIONS with 204, Access-Control-Allow-Origin, -Methods: GET, and -Headers with what was asked; without asking for a session.',
})

export const sessionIn = (headers: Headers): boolean => SESSION_HEADERS.some((name) => headers.has(name))

/** Headers of somebody who is not signed in. */
const withoutSession = (given: Headers): Headers => {
  const headers = new Headers(given)
  for (const name of SESSION_HEADERS) headers.delete(name)
  return headers
}

/** Headers of a page of another origin. */
const from = (given: Headers, origin: string): Headers => {
  const headers = new Headers(given)
  headers.set('origin', origin)
  headers.set('sec-fetch-site', 'cross-site')
  return headers
}

export async function stranger(ask: AskBroker, given: Headers): Promise<Finding> {
  const { asked, status, came, location, token, isHtml } = await ask({ headers: withoutSession(given) })
  const what = `${asked} without a session`
  const hasSession = sessionIn(given)
  if (token)
    return hasSession
      ? closed.fail(what, 'a token', { why: 'Whoever knows this address gets a token of somebody.' })
      : closed.warn(what, 'a token', {
          why: 'Whoever knows this address gets a token.',
          change: "If it takes a session, pass one: --header 'cookie: …'. If it takes none, ask for one.",
        })
  if (status === 401 || status === 403) return closed.ok(what, came)
  if (hasSession && status === 200 && location === undefined)
    return closed.fail(what, `200 and ${isHtml ? 'HTML' : 'no token'}`, {
      why: 'A page takes it for a broken broker, and not for the end of the session.',
    })
  return closed.warn(what, came)
}

export async function foreignOrigin(ask: AskBroker, given: Headers): Promise<Finding> {
  const { asked, came, token, headers } = await ask({ headers: from(given, FOREIGN) })
  const what = `${asked} from ${FOREIGN}`
  const allowed = headers.get('access-control-allow-origin')
  if (allowed === FOREIGN && token)
    return foreign.fail(
      what,
      `its origin is allowed${headers.get('access-control-allow-credentials') ? ', with credentials' : ''}`,
    )
  if (allowed === '*' && token)
    return foreign.ok(what, 'Access-Control-Allow-Origin: *, which browsers refuse together with cookies')
  return foreign.ok(what, token ? `${came}, which browsers hide from it` : came)
}

/** What a browser misses in headers before it shows an answer to a page. */
const refusedBy = (headers: Headers, origin: string, hasCookies: boolean): string | undefined => {
  const allowed = headers.get('access-control-allow-origin')
  if (allowed !== origin && allowed !== '*') return 'its origin is not allowed'
  if (!hasCookies) return undefined
  if (allowed === '*') return 'Access-Control-Allow-Origin: * does not go with cookies'
  return headers.get('access-control-allow-credentials') === 'true'
    ? undefined
    : 'no Access-Control-Allow-Credentials'
}

const faultOf = ({ redirects, headers }: Answer, origin: string, hasCookies: boolean): string | undefined =>
  [...redirects, headers].map((each) => refusedBy(each, origin, hasCookies)).find(Boolean)

/** The headers that a page may send. Together with cookies `*` is no wildcard; for `authorization` it never is one. */
const listedIn = (headers: Headers, hasCookies: boolean): string[] => {
  const names =
    headers
      .get('access-control-allow-headers')
      ?.toLowerCase()
      .match(/[^\s,]+/g) ?? []
  return names.filter((name) => name !== '*' || !hasCookies)
}

export async function namedOrigin(
  ask: AskBroker,
  given: Headers,
  origin: string | undefined,
): Promise<Finding[]> {
  if (origin === undefined)
    return [shared.skip('no --origin was given'), preflight.skip('no --origin was given')]
  const headers = from(given, origin)
  const hasCookies = given.has('cookie')
  const answer = await ask({ headers })
  const what = `${answer.asked} from ${origin}`
  const fault = answer.token ? faultOf(answer, origin, hasCookies) : answer.came
  const vary = String(answer.headers.get('vary'))
  const isVarying = answer.headers.get('access-control-allow-origin') === '*' || /origin|\*/i.test(vary)
  const found = [
    fault
      ? shared.fail(what, fault)
      : isVarying
        ? shared.ok(what, answer.came)
        : shared.warn(what, 'no Vary: Origin', {
            why: 'A cache may give one origin the answer for another.',
          }),
  ]
  const own = [...given.keys()].filter((name) => !['cookie', 'origin', 'accept'].includes(name))
  const asking = from(new Headers(), origin)
  asking.set('access-control-request-method', 'GET')
  asking.set('access-control-request-headers', (own.length ? own : ['x-csrf-token']).join(', '))
  const before = await ask({ method: 'OPTIONS', headers: asking })
  const listed = listedIn(before.headers, hasCookies)
  const isAllowed = own.every(
    (name) => listed.includes(name) || (listed.includes('*') && name !== 'authorization'),
  )
  const missing =
    Math.floor(before.status / 100) !== 2
      ? before.came
      : (faultOf(before, origin, hasCookies) ??
        (listed.length && isAllowed ? undefined : 'the headers are not allowed'))
  const asked = `${before.asked} from ${origin}`
  if (!missing) found.push(preflight.ok(asked, before.came))
  else found.push(own.length ? preflight.fail(asked, missing) : preflight.warn(asked, missing))
  return found
}
