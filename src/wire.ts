/** What a token broker answers with status 200. */
export interface TokenResponse {
  /** A Weavy user token, `wyu_…`. */
  access_token: string
  /** Seconds that remain of its life. Missing: the lifetime is unknown. */
  expires_in?: number
}
