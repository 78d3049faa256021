import type { TokenError, TokenErrorCode } from './errors.js'
import type { TokenResponse } from './wire.js'

// As @types/node does it: apps whose own `lib` has no Symbol.dispose compile with skipLibCheck off, and no other type
// appears that the runtime may lack.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol
  }
}

/** What a source tells the function that asks the broker. */
export interface TokenRequest {
  /** A newer token than the last one is wanted: a broker that stores tokens must replace it. */
  readonly refresh: boolean
  /** The token that was refused last, if any was. */
  readonly rejected: string | undefined
  /** The user of the source when it asked; the app's own id, which is never sent by this library. */
  readonly user: string | number | null | undefined
  /** Digest of the token that was received last, when a newer one is wanted ahead of its expiry. */
  readonly held: string | undefined
  /** Digest of the refused token, when a token is wanted after a refusal. */
  readonly refused: string | undefined
  /** The `sub` that the answer must have, when the source knows the one of `user`. */
  readonly sub?: string | undefined
  /** Aborts when nobody waits for the answer any more, and after `timeoutMs`. */
  readonly signal: AbortSignal
}

/**
 * Any async function that brings a token: what the broker answered, or its `Response`.
 *
 * A {@link TokenError} that it throws is kept as it is, so throw one to tell a session that ended (`signed_out`) from
 * an outage. An error with a numeric `status` or `response.status` is read as that status. Anything else becomes
 * `unreachable`, or `offline`, with the error as its `cause`, unless that quotes a token.
 */
export type FetchToken = (request: TokenRequest) => Promise<TokenResponse | Response>

/** Init of the request to `tokenUrl`, or a function that makes one for each request. */
export type RequestInitOption = RequestInit | (() => RequestInit | Promise<RequestInit>)

/** One request to the broker, told when it has ended. It holds no token, user or URL. */
export interface RequestEvent {
  /**
   * Why it was sent. `first`: there was no token; `ahead`: the token nears its end; `expired`: it has ended;
   * `rejected`: it was refused; `retry`: the last request failed; `restored`: the page came back from the
   * back/forward cache.
   */
  readonly reason: 'first' | 'ahead' | 'expired' | 'rejected' | 'retry' | 'restored'
  readonly durationMs: number
  /** Of the answer, when that was an error. */
  readonly status?: number
  /** Why it brought no token. */
  readonly error?: TokenErrorCode
  /** When the source tries again by itself. */
  readonly retryInMs?: number
}

/** One refusal of a token, told when it was reported. It holds no token, user or URL. */
export interface RefusedEvent {
  readonly status: 401 | 403
  /**
   * Who was refused: `uikit` is a connected UIKit, or whoever uses a token factory; `fetch` is `createAuthorizedFetch`;
   * `app` is `getToken({ rejected })`.
   */
  readonly from: 'uikit' | 'fetch' | 'app'
}

/** Options of {@link createTokenSource}. Exactly one of `tokenUrl` and `fetchToken` is required. */
export interface TokenSourceOptions {
  /** The app's token broker. `https:`, relative, the page's origin, or loopback. Query parameters are kept. */
  tokenUrl?: string | URL | undefined
  /** Brings a token in place of `tokenUrl`. A `TokenError` that it throws is kept as it is. */
  fetchToken?: FetchToken | undefined
  /**
   * The app's own id of the signed-in user, never sent anywhere; `null`: nobody is signed in.
   * @default undefined: whoever the broker says
   */
  user?: string | number | null | undefined
  /**
   * The broker's name of `user`, what `broker.subOf(uid)` said, rendered into the page. With it the first answer is checked, too.
   * @default undefined: the first `sub` that the broker answers for this `user`
   */
  sub?: string | undefined
  /** Init of the request to `tokenUrl`, or a function that returns it for each request: headers, CSRF. */
  requestInit?: RequestInitOption | undefined
  /**
   * How long before its expiry a token is refreshed, in milliseconds; 0 or more, never more than half of the life.
   * @default 10 % of the token's life, at most 60,000 ms; in lives below 50 s a quarter, at most 5,000 ms; never less than
   * twice what the broker's last answer took
   */
  refreshAheadMs?: number | undefined
  /**
   * Longest time that one request to the broker may take, in milliseconds; 1 to 2,147,483,647.
   * @default 10_000
   */
  timeoutMs?: number | undefined
  /**
   * Longest time that a caller without a valid token waits, in milliseconds; 0 to 2,147,483,647. Weavy's UIKit gives
   * up after 20,000 ms.
   * @default 15_000
   */
  maxWaitMs?: number | undefined
  /**
   * Fetches in place of the global `fetch`.
   * @default globalThis.fetch, looked up at each call
   */
  fetch?: typeof globalThis.fetch | undefined
  /** Told of each request to the broker when it has ended. What it throws goes to `reportError`. */
  onRequest?: ((event: RequestEvent) => void) | undefined
  /** Told of each refusal of a token. What it throws goes to `reportError`. */
  onRefused?: ((event: RefusedEvent) => void) | undefined
}

/** What a source knows now: one frozen object per change, the same reference while nothing changes. */
export type TokenState =
  /** Nothing asked yet, cleared, or closed. */
  | { readonly status: 'empty' }
  /** No usable token, one on its way. */
  | { readonly status: 'fetching' }
  /** A valid token, also while it is refreshed in the background. `expiresAt` is epoch ms, `null` when unknown. */
  | { readonly status: 'ready'; readonly token: string; readonly expiresAt: number | null }
  /** The refresh fails, the token is still good. */
  | {
      readonly status: 'stale'
      readonly token: string
      readonly expiresAt: number | null
      readonly error: TokenError
    }
  /** No usable token, the last attempt failed. */
  | { readonly status: 'failed'; readonly error: TokenError }
  /** Nobody is signed in, or somebody else is (`other_user`). */
  | { readonly status: 'signed-out'; readonly error: TokenError }

/** Options of {@link TokenSource.getToken}. */
export interface GetTokenOptions {
  /** A token that Weavy refused. It is never handed out again. */
  rejected?: string | undefined
  /**
   * A token with less life left is refreshed first, in milliseconds. Best effort: what is then the newest valid token
   * is handed out.
   * @default 0
   */
  minValidityMs?: number | undefined
  /** Rejects this caller alone, with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** `(refresh) => Promise<token>`, as Weavy's UIKit wants it. */
export type TokenFactory = (refresh?: boolean) => Promise<string>

/** A source of access tokens. Every function is a closure and works when destructured. */
export interface TokenSource {
  /**
   * Resolves with a token that is not expired and was not reported as rejected.
   *
   * A valid token is handed out at once, while a newer one is fetched in the background when its time has come.
   * Without one, the caller joins the one request in the air, and waits through an outage for `maxWaitMs` at most.
   *
   * @throws {TokenError} any code; the reason of `signal` when that aborts
   */
  getToken(this: void, options?: GetTokenOptions): Promise<string>
  /** One {@link TokenFactory} for a single consumer. Several consumers want one each: {@link createTokenFactory}. */
  tokenFactory: TokenFactory
  /**
   * Makes a factory that remembers what it handed out: `true` reports exactly that token as rejected, so a consumer
   * that holds an old token costs no request, and none is given the token back that it has just refused.
   */
  createTokenFactory(this: void): TokenFactory
  /** The state now. Expiry is judged by the clock at the call. */
  getState(this: void): TokenState
  /** Calls `listener` with each new state. Returns its undo. What a listener throws goes to `reportError`. */
  subscribe(this: void, listener: (state: TokenState) => void): () => void
  /**
   * Switches the user, synchronously: the old token is gone, the request in the air is aborted, whoever waits is
   * rejected with `superseded`. `null`: nobody is signed in. `undefined`: whoever the broker says. For the user it already
   * has, compared as strings, nothing happens, unless `sub` says that the token is somebody else's: that is a switch.
   *
   * @param sub the broker's name of that user, as the option `sub`
   */
  setUser(this: void, user: string | number | null | undefined, sub?: string): void
  /** Forgets token, failures and refusals, as `setUser` does, and starts afresh for the same user. */
  clear(this: void): void
  /** Ends the source: no timer, no listener and no request is left, `getToken` rejects with `closed`. */
  close(this: void): void
  /** `close`, for `using`. */
  [Symbol.dispose](): void
}
