import { Hono } from 'hono'
import { cors } from 'hono/cors'

/** One request to the sample server. */
export interface SampleRequest {
  readonly refresh: boolean
}

/**
 * A broker that behaves as Weavy's own sample servers do: it keeps the last token of each user without an expiry,
 * gives it out until `refresh=true`, answers nothing but the token, and is open to pages of any origin.
 */
export function createSampleServer(weavyUrl: string, apiKey: string, user: () => string | null) {
  const tokens = new Map<string, string>()
  const requests: SampleRequest[] = []
  const app = new Hono()
  app.use(cors())
  app.get('/api/token', async (c) => {
    const uid = user()
    const refresh = c.req.query('refresh') === 'true'
    requests.push({ refresh })
    if (!uid) return c.body(null, 401)
    const kept = refresh ? undefined : tokens.get(uid)
    if (kept) return c.json({ access_token: kept })
    const response = await fetch(`${weavyUrl}/api/users/${uid}/tokens`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: uid.charAt(0).toUpperCase() + uid.slice(1) }),
    })
    const { access_token } = (await response.json()) as { access_token: string }
    tokens.set(uid, access_token)
    return c.json({ access_token })
  })
  return { fetch: app.fetch, requests }
}
