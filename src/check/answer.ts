import { isLoopback } from '../wire.js'
import { type Answer, type AskBroker, shown, shownText } from './ask-broker.js'
import { about, type Finding } from './finding.js'

const secure = about({
  promise: 'The address is secure',
  why: 'A page may ask no other one, and on the way anybody could read the token.',
  change: 'Serve the broker over https:. Only loopback hosts may do without.',
})
const reachable = about({
  promise: 'The broker can be reached',
  why: 'Without it no page gets a token.',
  change: 'Is it running, is the address right, do DNS and TLS work from here?',
})
const direct = about({
  promise: 'No redirect to a sign-in page',
  why: 'A page takes it for the end of the session; on another origin, where it cannot read it, for a broken network.',
  change:
    'Answer 401 at this path when nobody is signed in. If somebody should be: pass the session with --header.',
})
const answered = about({
  promise: 'It answers with a token',
  why: 'Pages read { "access_token": "wyu_…" } with status 200.',
  change: 'Answer that, or read what you have with fetchToken.',
})
const labelled = about({
  promise: 'JSON is called application/json',
  why: 'Pages read it all the same, but proxies and browsers may compress, change or show what is called otherwise.',
  change: 'Set Content-Type: application/json.',
})
const kind = about({
  promise: 'access_token is a user token',
  why: 'An API key in a page gives every visitor the whole environment.',
  change:
    'Ask Weavy for a token of the user (POST /api/users/{uid}/tokens) and answer with that. Revoke a key that was out.',
})
const uncached = about({
  promise: 'Cache-Control: no-store',
  why: 'A proxy or a browser that keeps the answer gives one user the token of another, or a dead one.',
  change: 'Set Cache-Control: no-store on every answer.',
})

export const address = ({ protocol, hostname, pathname }: URL): Finding =>
  protocol === 'https:' || isLoopback(hostname)
    ? secure.ok(`GET ${pathname}`, protocol === 'https:' ? 'https:' : 'a loopback host')
    : secure.fail(`GET ${pathname}`, protocol)

/** The status, in the words of whoever has to change something. */
const aboutStatus = (status: number, hasSession: boolean) => {
  if (status === 401 || status === 403)
    return hasSession
      ? {
          why: 'It refuses the session that was given, so the page asks its user to sign in.',
          change:
            'Is the session still good? If it is, the broker may pass on a 401 of Weavy itself, whose API key was refused: answer 502 for that, and look at its log.',
        }
      : { why: 'Nobody is signed in.', change: "Pass the session of a signed-in user: --header 'cookie: …'" }
  if (status === 404) return { why: 'There is no broker at this path.', change: 'Is the path right?' }
  return {}
}

/** What can be said of the first answer alone. */
export async function firstAnswer(first: Answer, hasSession: boolean): Promise<Finding[]> {
  const { asked, status, came, redirects, location, token, headers, isHtml } = first
  const failure = String(first.failure)
  if (status === 0) return [reachable.fail(asked, came)]
  const found = [
    reachable.ok(asked, came),
    location === undefined ? direct.ok(asked, redirects.length ? came : 'none') : direct.fail(asked, came),
  ]
  if (location !== undefined) return found
  if (!token) {
    const isKey = failure.includes('API key')
    const advice = {
      ...aboutStatus(status, hasSession),
      ...(isHtml && {
        change:
          'HTML came: is this the path of the broker, and not one that the app answers with its own page?',
      }),
    }
    found.push(isKey ? kind.fail(asked, failure) : answered.fail(asked, `${came}: ${failure}`, advice))
    return found
  }
  const type = headers.get('content-type') ?? 'no content type'
  const cacheControl = headers.get('cache-control') ?? 'no Cache-Control'
  const [shownType, shownControl] = [type, cacheControl].map(shownText) as [string, string]
  const isKept = /public|max-?age=[1-9]/i.test(cacheControl)
  found.push(
    answered.ok(asked, came),
    /^application\/(.+\+)?json/i.test(type) ? labelled.ok(asked, shownType) : labelled.warn(asked, shownType),
    kind.ok(asked, await shown(token)),
    /no-store/i.test(cacheControl)
      ? uncached.ok(asked, shownControl)
      : uncached[isKept ? 'fail' : 'warn'](asked, shownControl),
  )
  return found
}

const taken = about({
  promise: 'Weavy takes the token',
  why: 'A token of another environment is refused for ever.',
  change: 'Do the page and the broker use the same Weavy environment?',
})

/** Tries the token where it is for. */
export async function tokenAtWeavy(weavyUrl: URL, token: string): Promise<Finding> {
  const url = new URL(`${weavyUrl.pathname.replace(/\/+$/, '')}/api/user`, weavyUrl.origin)
  const asked = `GET ${url.origin}${url.pathname}`
  try {
    const signal = AbortSignal.timeout(10_000)
    const { status } = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal,
    })
    return status === 200 ? taken.ok(asked, '200') : taken.fail(asked, String(status))
  } catch {
    return taken.fail(asked, 'no answer', {
      why: 'Weavy could not be reached.',
      change: 'Is --weavy-url right?',
    })
  }
}

const ready = about({
  promise: 'It answers 20 at once',
  why: 'Many tabs and users ask at the same moment, after a deploy or a night of sleep.',
  change: 'Share one call to Weavy among the requests of one user, and look for what they wait for.',
})
const quick = about({
  promise: 'It answers in time',
  why: 'A page without a token shows nothing until then. It gives a request up after 10 s, the UIKit after 20 s.',
  change: 'Keep the token of a user until the last tenth of its life in place of asking Weavy each time.',
})

/** Twenty pages that ask at once. */
export async function manyAtOnce(ask: AskBroker, answers: readonly Answer[]): Promise<Finding[]> {
  const all = await Promise.all(Array.from({ length: 20 }, () => ask()))
  const { asked } = all[0] as Answer
  const refused = all.filter(({ token }) => !token)
  const [firstRefused] = refused
  const different = new Set(all.map(({ token }) => token)).size
  const slowest = Math.round(Math.max(...[...answers, ...all].map(({ ms }) => ms)))
  const time = `${slowest} ms at most`
  return [
    firstRefused
      ? ready.fail(`20 × ${asked}`, `${refused.length} without a token, the first: ${firstRefused.came}`)
      : different > 2
        ? ready.warn(`20 × ${asked}`, `${different} different tokens`)
        : ready.ok(`20 × ${asked}`, 'all with a token'),
    slowest > 5000
      ? quick.fail(asked, time)
      : slowest > 2000
        ? quick.warn(asked, time)
        : quick.ok(asked, time),
  ]
}
