import { digestOf } from './wire.js'

const MAX_DIGESTS = 8

/**
 * The digests of the last eight tokens. They are made when a token lands, so that asking stays synchronous: a digest that
 * is not ready, or cannot be made on plain `http:`, is left out.
 */
export function createDigests() {
  const digests = new Map<string, string | undefined>()
  return {
    note(token: string | undefined) {
      if (token === undefined || digests.has(token)) return
      digestOf(token).then(
        (digest) => {
          digests.set(token, digest)
          for (const [oldest] of digests) if (digests.size > MAX_DIGESTS) digests.delete(oldest)
        },
        () => {},
      )
    },
    of: (token: string | undefined) => digests.get(token as string),
  }
}
