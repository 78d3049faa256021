/**
 * Brokers that behave as those of public integrations do, written anew from how they answer. None keeps an expiry.
 */

export interface IssuedToken {
  access_token: string
  expires_in: number
}

export interface RowContext {
  /** Asks Weavy for a token, with an API key. */
  issue(uid: string): Promise<IssuedToken>
  /** Who is signed in. */
  user(request: Request): string | null
  /** Where those are sent who have to sign in: another origin, without CORS. */
  signInUrl?: string
}

type Handler = (request: Request) => Promise<Response>

const wantsNew = (request: Request) => new URL(request.url).searchParams.get('refresh') === 'true'

/** The cache that they all have: a token for each user, until `refresh=true`. */
function createCache({ issue }: RowContext) {
  const tokens = new Map<string, IssuedToken>()
  return async (uid: string, isNew: boolean): Promise<IssuedToken> => {
    const known = tokens.get(uid)
    if (known && !isNew) return known
    const issued = await issue(uid)
    tokens.set(uid, issued)
    return issued
  }
}

const anyOrigin = { 'access-control-allow-origin': '*' }
const ANYBODY = 'anybody'

const appPage = () =>
  new Response('<!doctype html><div id="root"></div>', {
    headers: { ...anyOrigin, 'content-type': 'text/html' },
  })

type Refusal = (context: RowContext) => Response

const unauthorized: Refusal = () => new Response(null, { status: 401, headers: anyOrigin })

/**
 * A proxy in front of the app (Entra, Cloudflare Access, oauth2-proxy), or the app itself. The headers of CORS stand for an
 * app whose broker has its own origin: without them no page of another origin sees that there is a redirect.
 */
const redirected: Refusal = ({ signInUrl = 'https://login.example' }) =>
  new Response(null, { status: 302, headers: { ...anyOrigin, location: `${signInUrl}/authorize?client=1` } })

/** A broker that knows its session and answers what `answer` makes of the token. */
const withSession =
  (answer: (token: IssuedToken) => Response, refusal = unauthorized) =>
  (context: RowContext): Handler => {
    const tokenOf = createCache(context)
    return async (request) => {
      const uid = context.user(request)
      return uid ? answer(await tokenOf(uid, wantsNew(request))) : refusal(context)
    }
  }

const json = (body: object, headers: Record<string, string> = {}, status = 200) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { ...anyOrigin, 'content-type': 'application/json', ...headers },
  })

export const rows = {
  /** Weavy's own sample server, and most that follow it. */
  sample: withSession(({ access_token }) => json({ access_token })),
  /** ASP.NET: JSON as text, and whoever the query says. */
  'uid in the query': (context: RowContext): Handler => {
    const tokenOf = createCache(context)
    return async (request) => {
      const uid = new URL(request.url).searchParams.get('uid') ?? ANYBODY
      const { access_token } = await tokenOf(uid, wantsNew(request))
      return json({ access_token }, { 'content-type': 'text/plain; charset=utf-8' })
    }
  },
  /** PHP and Express `res.send`. */
  'JSON as HTML': withSession(({ access_token }) =>
    json({ access_token }, { 'content-type': 'text/html; charset=UTF-8' }),
  ),
  /** NestJS: the first life, for a reused token, too. */
  'constant expires_in': withSession(({ access_token }) => json({ access_token, expires_in: 3600 })),
  /** ASP.NET MVC, Spring. */
  'plain text': withSession(
    ({ access_token }) => new Response(access_token, { headers: anyOrigin }),
    () =>
      new Response(null, { status: 302, headers: { location: 'https://login.example/authorize?client=1' } }),
  ),
  /** Supabase functions, axios apps. */
  '{ token }': withSession(({ access_token }) => json({ token: access_token })),
  '{ accessToken }': withSession(({ access_token }) => json({ accessToken: access_token })),
  /** Next.js pages/api. */
  '200 { message }': withSession(
    ({ access_token }) => json({ access_token }),
    () => json({ message: 'Please sign in' }),
  ),
  'sign-in page behind a redirect': withSession(({ access_token }) => json({ access_token }), redirected),
  /** A path that a single-page app answers with its own page. */
  'fallback page': (): Handler => async () => appPage(),
  /** It never replaces what it keeps. */
  'ignores refresh': (context: RowContext): Handler => {
    const tokenOf = createCache(context)
    return async (request) => {
      const uid = context.user(request)
      return uid ? json(await tokenOf(uid, false)) : json({}, {}, 401)
    }
  },
  /** An operator's refused API key is passed on. */
  "passes Weavy's 401 on": (): Handler => async () => json({ status: 401 }, {}, 401),
  /** Every origin is told that it may. */
  'reflects every origin': (context: RowContext): Handler => {
    const tokenOf = createCache(context)
    return async (request) => {
      const headers = {
        'access-control-allow-origin': request.headers.get('origin') ?? '*',
        'access-control-allow-credentials': 'true',
        'cache-control': 'public, max-age=60',
      }
      return json(await tokenOf(context.user(request) ?? ANYBODY, wantsNew(request)), headers)
    }
  },
} satisfies Record<string, (context: RowContext) => Handler>

export type Row = keyof typeof rows
