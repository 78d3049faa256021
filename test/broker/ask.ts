import {
  type BrokerUser,
  createTokenBroker,
  type TokenBroker,
  type TokenBrokerOptions,
} from '../../src/broker/index.js'
import { API_KEY, WEAVY_URL } from './scripted-weavy.js'

export const TOKEN_URL = 'https://app.example/api/token'

/** A broker with a user who is signed in, and the lines of its log. */
export function createTestBroker(options: Partial<TokenBrokerOptions> = {}) {
  const lines: string[] = []
  const user: BrokerUser = { uid: 'u256', name: 'Ada' }
  const broker = createTokenBroker({
    weavyUrl: WEAVY_URL,
    apiKey: API_KEY,
    user: () => user,
    log: (line) => lines.push(line),
    ...options,
  })
  return { broker, lines, user }
}

export interface Reply {
  status: number
  headers: Headers
  /** Of the JSON body, whatever it is. */
  body: Record<string, unknown>
}

async function replyOf(answer: Response | Promise<Response>): Promise<Reply> {
  const response = await answer
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} }
}

export function ask(broker: TokenBroker, init?: RequestInit, url = TOKEN_URL): Promise<Reply> {
  return replyOf(broker.fetch(new Request(url, init)))
}

/** The token that a page gets. */
export async function askForToken(broker: TokenBroker): Promise<unknown> {
  return (await ask(broker)).body.access_token
}

/** The token that a page gets when it holds one and wants a newer one. */
export async function askForNewToken(broker: TokenBroker): Promise<unknown> {
  return (await ask(broker, {}, `${TOKEN_URL}?refresh=true`)).body.access_token
}
