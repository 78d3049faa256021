import type { BrokerEvent } from './events.js'
import type { TokenStore } from './store.js'

/** Seconds. */
export const DEFAULT_EXPIRES_IN = 3_600

/**
 * Who is signed in, as Weavy is to know them. Only the fields named here go to Weavy, and those of the option `profileFields`.
 * An object of your session or your ORM may be given as it is: others are left out, and the log names them once.
 */
export interface BrokerUser {
  /** At least one character that is no digit, no white space. Make it with `toUid()`. */
  uid: string
  /** What others see. */
  name?: string | null | undefined
  given_name?: string | null | undefined
  family_name?: string | null | undefined
  /** URL of an image. */
  picture?: string | null | undefined
  email?: string | null | undefined
  phone_number?: string | null | undefined
  comment?: string | null | undefined
  /** The name of a group; users see those of their own. */
  directory?: string | null | undefined
  /** Anything that can be written as JSON. */
  metadata?: unknown
  tags?: readonly string[] | null | undefined
  /**
   * An opaque name of the user for the page, which compares it; Weavy never gets it. One `sub` belongs to one user. 1 to 256
   * characters.
   * @default what `broker.subOf(uid)` tells
   */
  sub?: string | null | undefined
}

/** Fields beyond those of a `BrokerUser` are fine, also in an object literal, which is why there is the second member. */
type Found = BrokerUser | (BrokerUser & { [field: string]: unknown }) | null | undefined | false | '' | 0

/** Options of `createTokenBroker()`. They are checked once, when the broker is created. */
export interface TokenBrokerOptions<Context = unknown> {
  /**
   * The Weavy environment: `https:`, or `http:` on a loopback host. A function is asked at each request, so it may read an
   * environment that comes late; what it returns, at once, is checked then, and a wrong one is a 500 and a line in the log.
   */
  weavyUrl: string | URL | undefined | (() => string | URL | undefined)
  /**
   * An API key of that environment, `wys_…`. It is sent to `weavyUrl` and nowhere else. A function is asked at each request,
   * so that a key can be rotated without a restart; a token that an earlier key issued is not handed out any more.
   */
  apiKey: string | undefined | (() => string | undefined)
  /**
   * Tells who is signed in, from the cookies or headers of the request; nothing, or anything falsy, when nobody is. It has 8 s.
   *
   * A `Response` that it throws is the answer, a redirect to a sign-in page for example; so is an `HTTPException` of Hono. An
   * error with `status` or `statusCode` 401 or 403 is that answer, and what Next.js throws to steer (`redirect()`) goes on to Next.js.
   * `context` is the second argument that `fetch` was called with, or the event whose `request` this is.
   */
  user: (request: Request, context: Context) => Found | Promise<Found>
  /** Life of a token in seconds, 1 to 31,536,000. @default 3600 */
  expiresIn?: number | undefined
  /**
   * Whether to update the user in Weavy when the profile has changed. Weavy 15 and later take a profile along with a token
   * request for new users at most. Costs one call per change, and is remembered for 7 days. @default false
   */
  syncProfile?: boolean | undefined
  /** Names of further fields of the user that go to Weavy. @default [] */
  profileFields?: readonly string[] | undefined
  /**
   * Other origins whose pages may ask, exactly as browsers send them: `https://app.example`; or a function that answers
   * `true` for them at once, for origins that are not known beforehand. It is also asked about the broker's own origin.
   * @default []
   */
  allowedOrigins?: readonly string[] | ((origin: string) => boolean) | undefined
  /** Where tokens are kept, a Keyv instance for example. @default memory of this process, 100,000 users */
  store?: TokenStore | undefined
  /** Sends the requests to Weavy. @default `globalThis.fetch` */
  fetch?: typeof globalThis.fetch | undefined
  /** Gets a line when the operator has to know: no token, no key, no user id in it. @default `console.error` */
  log?: ((line: string) => unknown) | undefined
  /** Gets one plain object per request for a token, for counters and histograms: no token, no key, no user id in it. @default nothing */
  onEvent?: ((event: BrokerEvent) => unknown) | undefined
}
