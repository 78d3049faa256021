import type { TokenRefusal, TokenVerdict } from './tokens.js'

export interface RequestRecord {
  /** When it arrived, in epoch milliseconds. */
  at: number
  method: string
  /** Without the query, which can hold a token. */
  path: string
  kind: 'api' | 'upload' | 'negotiate' | 'hub' | 'token' | 'profile' | 'version'
  uid?: string
  /** Which token it carried, or for a `token` request which one it brought: its ordinal, never the token. */
  tokenId?: number
  /** 101 for a hub connection that was opened. */
  status: number
  refused?: TokenRefusal | 'forbidden'
  /** From its arrival to its answer, in milliseconds. */
  ms: number
}

export type Verdict = Omit<TokenVerdict, 'refused'> & Pick<RequestRecord, 'refused'>

export function kindOf(method: string, path: string): RequestRecord['kind'] {
  if (path === '/version') return 'version'
  if (path === '/hubs/rtm/negotiate') return 'negotiate'
  if (path === '/hubs/rtm') return 'hub'
  if (path === '/api/blobs') return 'upload'
  if (method === 'POST' && /^\/api\/users\/[^/]+\/tokens$/.test(path)) return 'token'
  if (method === 'PUT' && /^\/api\/users\/[^/]+$/.test(path)) return 'profile'
  return 'api'
}

/** The last `limit` requests, oldest first. */
export function createRequestLog(limit = 10_000) {
  const records: RequestRecord[] = []
  return {
    records: records as readonly RequestRecord[],
    add(record: RequestRecord) {
      if (records.push(record) > limit) records.shift()
    },
  }
}
