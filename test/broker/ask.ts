import { createHash } from 'node:crypto'
import {
  type BrokerUser,
  createTokenBroker,
  type TokenBroker,
  type TokenBrokerOptions,
} from '../../src/broker/index.js'
import { API_KEY, WEAVY_URL } from './scripted-weavy.js'

/** What stands for a uid, a token or a key where it must not be named itself. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

/** The `sub` of the user of {@link createTestBroker}. */
export const SUB = digestOf('u256')

/** Where a store has the record of a user, and what `forget()` wrote. */
export const recordKey = (uid = 'u256', url = WEAVY_URL) => `weavy-token:${digestOf(url)}:${digestOf(uid)}`
export const generationKey = (uid = 'u256') =>
  `weavy-token-generation:${digestOf(WEAVY_URL)}:${digestOf(uid)}`

export const TOKEN_URL = 'https://app.example/api/token'

/** From here on brokers share no memory with those that were made before: as if in another process. */
export function startNewProcess() {
  Reflect.deleteProperty(globalThis, Symbol.for('weavy-token.broker.memory.1'))
}

/** A broker in a process of its own with a user who is signed in, and the lines of its log. */
export function createTestBroker(options: Partial<TokenBrokerOptions> = {}) {
  const lines: string[] = []
  const user: BrokerUser = { uid: 'u256', name: 'Ada' }
  startNewProcess()
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

/** The token that a page gets after a refusal. */
export async function askAfterRefusal(broker: TokenBroker, refused: unknown): Promise<unknown> {
  const query = `?refresh=true&refused=${digestOf(String(refused))}`
  return (await ask(broker, {}, TOKEN_URL + query)).body.access_token
}

/** The token that a page gets ahead of expiry. */
export async function askAhead(broker: TokenBroker, held: unknown): Promise<unknown> {
  const query = `?refresh=true&held=${digestOf(String(held))}`
  return (await ask(broker, {}, TOKEN_URL + query)).body.access_token
}
