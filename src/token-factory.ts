import type { SourceInternals } from './internals.js'
import type { TokenFactory } from './types.js'

/** A factory for one consumer. It names the token that it handed out, so no user and no `clear()` brings that back. */
export function factoryFor({
  getToken,
  tellRefused,
}: Pick<SourceInternals, 'getToken' | 'tellRefused'>): TokenFactory {
  let handed: string | undefined
  return async (refresh = false) => {
    const rejected = refresh ? handed : undefined
    const answer = getToken({ rejected })
    if (rejected) tellRefused({ status: 401, from: 'uikit' })
    handed = await answer
    return handed
  }
}
