import { Problem } from './problem.js'
import { isA } from './safely.js'
import { refusal, tooLarge, unreachable } from './weavy-failure.js'
import { TimeoutError, within } from './within.js'

/** So much of an answer is read, unpacked. A token has some hundred bytes. */
export const MAX_ANSWER_BYTES = 64 * 1024

/** So often a request that got no answer is sent again. */
const MAX_LOSSES = 2
/** So often one is that was answered with a conflict. */
const MAX_CONFLICTS = 1

/** One request to Weavy. */
export interface Exchange {
  /** For the log: what did not work. */
  failed: string
  method: 'POST' | 'PUT'
  url: string
  apiKey: string
  json: string
  timeoutMs: number
}

/** Reads no more than {@link MAX_ANSWER_BYTES}, however small it was packed. `undefined` when there is more. */
async function readText(response: Response): Promise<string | undefined> {
  const { body } = response
  // Where `fetch` is a stand-in whose bodies are no streams.
  if (typeof body?.getReader !== 'function') {
    const text = await response.text()
    return text.length > MAX_ANSWER_BYTES ? undefined : text
  }
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    bytes += chunk.value.byteLength
    if (bytes > MAX_ANSWER_BYTES) return undefined
    text += decoder.decode(chunk.value, { stream: true })
  }
  return text + decoder.decode()
}

/**
 * Sends a request and reads the answer. Redirects are not followed, for the key would go along.
 *
 * A request that got no answer at all is sent again, twice at most: a kept connection dies as it is used again whenever a
 * server or a proxy closes it in the same moment, and the next one may die so, too. One that Weavy answers with a conflict
 * is sent once more, whatever was lost: another process has created the user. Both calls to Weavy may be made more than once.
 *
 * @throws {Problem} for everything else than a success
 */
export async function exchange(fetch: typeof globalThis.fetch, request: Exchange): Promise<string> {
  const { failed, method, url, apiKey, json, timeoutMs } = request
  const controller = new AbortController()
  const { signal } = controller

  const send = async (init?: RequestInit) =>
    fetch(url, {
      method,
      headers: {
        Authorization: `Bearer ${apiKey}`,
        'Content-Type': 'application/json',
        Accept: 'application/json',
      },
      body: json,
      redirect: 'manual',
      signal,
      ...init,
    })

  async function sendAgain(): Promise<Response> {
    let losses = 0
    let conflicts = 0
    let init: RequestInit | undefined
    for (;;) {
      try {
        const response = await send(init)
        if (response.status !== 409 || conflicts === MAX_CONFLICTS) return response
        conflicts += 1
        response.body?.cancel().catch(() => {})
      } catch (error) {
        if (signal.aborted || losses === MAX_LOSSES) throw error
        losses += 1
      }
      // Bun takes a new connection then; Node has dropped the one that died.
      init = { keepalive: false }
    }
  }

  async function converse() {
    const response = await sendAgain()
    if (!response.ok) throw refusal(failed, response)
    const text = await readText(response)
    if (text === undefined) throw tooLarge(failed, MAX_ANSWER_BYTES)
    return text
  }

  try {
    return await within(timeoutMs, converse())
  } catch (error) {
    // Also frees the connection of an answer whose body nobody reads.
    controller.abort()
    if (isA(error, Problem)) throw error
    if (!isA(error, TimeoutError)) throw unreachable(failed, error)
    throw new Problem('weavy_timeout', `${failed}: Weavy did not answer within ${timeoutMs} ms.`)
  }
}
