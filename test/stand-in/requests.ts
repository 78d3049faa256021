import type { StandInWeavy } from '../../demo/stand-in/weavy.js'

/** Gets a user token as a broker does. */
export async function issueToken({ url, apiKey }: StandInWeavy, uid: string, body: object = {}) {
  const response = await fetch(`${url}/api/users/${uid}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await response.json()) as { access_token: string; expires_in: number }
}

export function asUser({ url }: StandInWeavy, token: string, path: string, init: RequestInit = {}) {
  return fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })
}
