import { randomBytes } from 'node:crypto'

/** Why a request with this token is refused. A token that was revoked says so, also after its expiry. */
export type TokenRefusal = 'missing' | 'unknown' | 'expired' | 'revoked'

export interface TokenVerdict {
  uid?: string
  /** Which of all tokens it is, counted from 1 in the order of issue. Never the token. */
  tokenId?: number
  refused?: TokenRefusal
}

export interface TokenLedger {
  issue(uid: string, lifetimeSeconds: number): { token: string; tokenId: number }
  judge(token: string | undefined): TokenVerdict
  /** Kills the tokens of one user, or all of them. */
  revoke(uid?: string): void
}

/** All user tokens of an environment. Expiry follows the monotonic clock, to the millisecond. */
export function createTokenLedger(): TokenLedger {
  const tokens = new Map<string, { uid: string; tokenId: number; expiresAt: number; revoked: boolean }>()

  return {
    issue(uid, lifetimeSeconds) {
      const token = `wyu_${randomBytes(24).toString('base64url')}`
      const tokenId = tokens.size + 1
      tokens.set(token, {
        uid,
        tokenId,
        expiresAt: performance.now() + lifetimeSeconds * 1000,
        revoked: false,
      })
      return { token, tokenId }
    },
    judge(token) {
      if (!token) return { refused: 'missing' }
      const known = tokens.get(token)
      if (!known) return { refused: 'unknown' }
      const { uid, tokenId, expiresAt, revoked } = known
      if (revoked) return { uid, tokenId, refused: 'revoked' }
      if (performance.now() >= expiresAt) return { uid, tokenId, refused: 'expired' }
      return { uid, tokenId }
    },
    revoke(uid) {
      for (const token of tokens.values()) if (uid === undefined || token.uid === uid) token.revoked = true
    },
  }
}
