import { createTokenBroker } from 'weavy-token/broker'

/** A Weavy environment, and the key of a server that may issue its tokens. */
export interface Environment {
  weavyUrl: string
  apiKey: string
}

/** What a person who starts the demo has to put right. */
export class SetupError extends Error {
  override name = 'SetupError'
}

/**
 * The environment that `WEAVY_URL` and `WEAVY_APIKEY` name, or null when neither is set: the demo then brings its own.
 * @throws {SetupError} for one without the other, and for values that a broker refuses
 */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment | null {
  const { WEAVY_URL: weavyUrl, WEAVY_APIKEY: apiKey } = variables
  if (!weavyUrl && !apiKey) return null
  if (!weavyUrl || !apiKey) {
    const [set, missing] = weavyUrl ? ['WEAVY_URL', 'WEAVY_APIKEY'] : ['WEAVY_APIKEY', 'WEAVY_URL']
    throw new SetupError(
      `${set} is set and ${missing} is not. Set both for your own environment, or neither for the stand-in.`,
    )
  }
  try {
    createTokenBroker({ weavyUrl, apiKey, user: () => null })
  } catch (cause) {
    throw new SetupError(`WEAVY_URL or WEAVY_APIKEY is wrong: ${(cause as Error).message}`, { cause })
  }
  return { weavyUrl, apiKey }
}

/**
 * Asks a real environment for one token, as the demo will.
 * @throws {SetupError} with what the broker tells its operator
 */
export async function tryEnvironment(environment: Environment): Promise<void> {
  let reason = ''
  const { fetch } = createTokenBroker({
    ...environment,
    user: () => ({ uid: 'demo-alice', name: 'Alice' }),
    log: (line) => {
      reason = line
    },
  })
  const { ok, status } = await fetch(new Request('http://127.0.0.1/'))
  if (!ok)
    throw new SetupError(
      `${environment.weavyUrl} gives no token (${status}): check both variables. ${reason}`,
    )
}
