import { address, firstAnswer, manyAtOnce, tokenAtWeavy } from './answer.js'
import { type Answer, createAskBroker } from './ask-broker.js'
import type { Finding } from './finding.js'
import { digests, refresh, reuse, type Wait } from './life.js'
import { foreignOrigin, namedOrigin, sessionIn, stranger } from './strangers.js'

export interface CheckOptions {
  readonly tokenUrl: URL
  /** What a page of a signed-in user would send. */
  readonly headers: Headers
  readonly origin: string | undefined
  readonly weavyUrl: URL | undefined
  readonly wait: Wait
}

/** Tries each promise of the wire contract on a broker, in order. Never rejects for what the broker does. */
export async function checkBroker(options: CheckOptions): Promise<Finding[]> {
  const { tokenUrl, headers, origin, weavyUrl, wait } = options
  const answers: Answer[] = []
  const sent = createAskBroker(tokenUrl, headers)
  const ask: typeof sent = async (question) => {
    const answer = await sent(question)
    answers.push(answer)
    return answer
  }
  const first = await ask()
  const found = [address(tokenUrl), ...(await firstAnswer(first, sessionIn(headers)))]
  if (first.status === 0) return found
  if (first.token) {
    found.push(...(await reuse(ask, first, wait)))
    const [replaced, newest] = await refresh(ask, first, wait)
    found.push(replaced, ...(await digests(ask, first, newest)))
  }
  // A session that was refused tells nothing about who has none.
  if (first.token || !sessionIn(headers)) found.push(await stranger(ask, headers))
  if (!first.token) return found
  found.push(await foreignOrigin(ask, headers), ...(await namedOrigin(ask, headers, origin)))
  found.push(...(await manyAtOnce(sent, answers)))
  const { token } = await ask()
  if (weavyUrl && token) found.push(await tokenAtWeavy(weavyUrl, token))
  return found
}
