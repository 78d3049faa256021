import { once } from 'node:events'
import { wait } from './wait.js'

export type Fault =
  /** 503; `retryAfter` in seconds. It ends by itself `forMs` after the first request that met it. */
  | { kind: 'down'; retryAfter?: number; forMs?: number }
  /**
   * The connection is reset. Firefox repeats such a request by itself, up to nine times, and each is counted. It ends by
   * itself `forMs` after the first request that met it.
   */
  | { kind: 'reset'; forMs?: number }
  /** A right answer, this much later. */
  | { kind: 'slow'; ms: number }
  /** No answer until the client gives up. */
  | { kind: 'hang' }
  /** 200 with JSON that ends in the middle, with a sign-in page, with nothing, with an API key. */
  | { kind: 'garbage' | 'html' | 'empty' | 'api-key' }
  /** The last good answer again, whatever is asked. */
  | { kind: 'same-token' }
  /** 401 */
  | { kind: 'signed-out' }
  /** 429; `retryAfter` in seconds. */
  | { kind: 'rate-limited'; retryAfter?: number }

export interface BrokerRequest {
  /** When it arrived, in epoch milliseconds. */
  at: number
  /** Whether a newer token was asked for. */
  refresh: boolean
  /** `hung` as long as there is no answer, and for good when its client gave up. */
  status: number | 'reset' | 'hung'
  /** From its arrival to its end, in milliseconds; 0 before. */
  ms: number
}

export interface FaultyBrokerOptions {
  /** The broker that answers while there is no fault. */
  fetch(request: Request): Promise<Response>
  /** Whose pages can read the answers of a fault, as they can read the broker's own. */
  allowedOrigins: string[]
}

export interface FaultyBroker {
  /** @throws {ConnectionReset} where the server around it has to cut the connection. */
  fetch(request: Request): Promise<Response>
  /** What is wrong with requests that arrive from now on. */
  fault: Fault | null
  /** Every token request, oldest first. Preflights pass through uncounted. */
  readonly requests: readonly BrokerRequest[]
}

/** What a fault of the connection itself rejects with. */
export class ConnectionReset extends Error {
  override name = 'ConnectionReset'
}

const SIGN_IN_PAGE = '<!doctype html><title>Sign in</title><form method="post"><input name="password"></form>'
const MADE_UP_KEY = 'wys_made_up_by_the_faulty_broker'

const ok = (body: string, type = 'application/json') =>
  new Response(body, { headers: { 'content-type': type, 'cache-control': 'no-store' } })

const problem = (status: number, title: string, retryAfter?: number) =>
  new Response(JSON.stringify({ status, title }), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    },
  })

/** Puts faults that are switched on and off at run time in front of a broker. */
export function createFaultyBroker({ fetch, allowedOrigins }: FaultyBrokerOptions): FaultyBroker {
  const requests: BrokerRequest[] = []
  let lastGood: string | undefined
  let met: Fault | undefined

  function meet(fault: Fault) {
    if (fault === met) return
    met = fault
    if (!('forMs' in fault)) return
    const end = () => {
      if (broker.fault === fault) broker.fault = null
    }
    setTimeout(end, fault.forMs).unref()
  }

  async function pass(request: Request) {
    const response = await fetch(request)
    if (response.ok) lastGood = await response.clone().text()
    return response
  }

  async function answer(request: Request, fault: Fault): Promise<Response> {
    switch (fault.kind) {
      case 'down':
        return problem(503, 'The broker is down', fault.retryAfter)
      case 'reset':
        throw new ConnectionReset()
      case 'slow':
        await wait(fault.ms)
        return pass(request)
      case 'hang':
        if (!request.signal.aborted) await once(request.signal, 'abort')
        throw new ConnectionReset()
      case 'garbage':
        return ok('{"access_tok')
      case 'html':
        return ok(SIGN_IN_PAGE, 'text/html')
      case 'empty':
        return ok('')
      case 'api-key':
        return ok(JSON.stringify({ access_token: MADE_UP_KEY, expires_in: 3600 }))
      case 'same-token':
        return lastGood === undefined ? pass(request) : ok(lastGood)
      case 'signed-out':
        return problem(401, 'Nobody is signed in')
      case 'rate-limited':
        return problem(429, 'Too many requests', fault.retryAfter)
    }
  }

  function share(request: Request, response: Response) {
    const origin = request.headers.get('origin')
    if (!origin || !allowedOrigins.includes(origin)) return response
    response.headers.set('access-control-allow-origin', origin)
    response.headers.set('access-control-allow-credentials', 'true')
    response.headers.set('access-control-expose-headers', 'Retry-After')
    response.headers.set('vary', 'Origin')
    return response
  }

  const broker: FaultyBroker = {
    fault: null,
    requests,
    async fetch(request) {
      if (request.method !== 'GET') return fetch(request)
      const refresh = new URL(request.url).searchParams.get('refresh') === 'true'
      const record: BrokerRequest = { at: Date.now(), refresh, status: 'hung', ms: 0 }
      const arrived = performance.now()
      const { fault } = broker
      requests.push(record)
      if (fault) meet(fault)
      try {
        const response = fault ? share(request, await answer(request, fault)) : await pass(request)
        record.status = response.status
        return response
      } catch (error) {
        if (fault?.kind !== 'hang') record.status = 'reset'
        throw error
      } finally {
        record.ms = performance.now() - arrived
      }
    },
  }
  return broker
}
