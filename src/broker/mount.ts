import { Problem } from './problem.js'

/** What a server of Node's kind answers with. */
interface ServerResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/** Shape decides: requests of other realms and of adapters are no `instanceof Request`. */
function isRequest(value: unknown): value is Request {
  const { url, method, headers } = (value ?? {}) as Partial<Request>
  return typeof url === 'string' && typeof method === 'string' && typeof headers?.get === 'function'
}

function isServerResponse(value: unknown): value is ServerResponse {
  const { setHeader, end } = (value ?? {}) as Partial<ServerResponse>
  return typeof setHeader === 'function' && typeof end === 'function'
}

/**
 * The request that `fetch` was called with: itself, or the `request` of an event, which is what SvelteKit, Astro and React
 * Router hand to a route.
 */
export function requestOf(incoming: unknown): Request | undefined {
  if (isRequest(incoming)) return incoming
  const { request } = (incoming ?? {}) as { request?: unknown }
  return isRequest(request) ? request : undefined
}

/** The problem of a mount that hands over no `Request`. */
export function wrongMount(): Problem {
  return new Problem(
    'wrong_mount',
    'fetch() was called without a Request. Express, node:http, Koa and the pages API of Next.js need an adapter: ' +
      'getRequestListener(broker.fetch) of @hono/node-server. Hono: (c) => broker.fetch(c.req.raw, c).',
  )
}

/**
 * Answers where nobody looks at the `Response` that `fetch` resolves to: Express, `node:http` and Next's pages API give a
 * response object to write to, Koa keeps it in its context. Without this the client would wait for ever.
 */
export async function answerUnder(incoming: unknown, context: unknown, answer: Response): Promise<void> {
  const ofContext = (incoming as { res?: unknown } | null | undefined)?.res
  const response = [context, ofContext].find(isServerResponse)
  if (!response) return
  const text = await answer.clone().text()
  try {
    response.statusCode = answer.status
    for (const [name, value] of answer.headers) response.setHeader(name, value)
    response.end(text)
  } catch {
    // Somebody has answered before.
  }
}
