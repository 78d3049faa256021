import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll } from 'vitest'

export const WEAVY_URL = 'https://acme.weavy.test'
export const API_KEY = 'wys_the-key-of-the-environment'

export interface WeavyCall {
  method: string
  url: string
  headers: Headers
  body: Record<string, unknown>
}

type Answer = (call: WeavyCall) => Response | Promise<Response>

/** Plays a Weavy environment for the tests of one file: numbers its tokens, remembers its calls. */
export function createScriptedWeavy() {
  const calls: WeavyCall[] = []
  let issued = 0
  const issue: Answer = ({ body }) =>
    HttpResponse.json({ access_token: `wyu_${++issued}`, expires_in: body.expires_in })
  const update: Answer = () => HttpResponse.json({})
  const script: Answer[] = []

  const server = setupServer(
    http.all(`${WEAVY_URL}/*`, async ({ request }) => {
      const body = (await request.json()) as Record<string, unknown>
      const call = { method: request.method, url: request.url, headers: request.headers, body }
      calls.push(call)
      const answer = script.shift() ?? (request.method === 'PUT' ? update : issue)
      return answer(call)
    }),
  )

  beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
  afterEach(() => {
    server.resetHandlers()
    calls.length = 0
    script.length = 0
    issued = 0
  })
  afterAll(() => server.close())

  return {
    server,
    calls,
    /** Answers of the next calls; after them it works again. */
    next: (...answers: Answer[]) => script.push(...answers),
    callsTo: (method: 'POST' | 'PUT') => calls.filter((call) => call.method === method),
  }
}
