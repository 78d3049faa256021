import type { Forbidden } from '../forbidden.js'
import type { SourceInternals } from '../internals.js'
import { joinSignals } from '../join-signals.js'
import { expectLasting } from '../session.js'
import { createCallToken } from './call-token.js'
import { type CallName, type Calls, viewOf } from './view.js'
import type { WeavyLike } from './weavy.js'

/** What the calls of one instance share. */
export interface Room {
  readonly source: SourceInternals
  readonly weavy: WeavyLike
  /** The UIKit's own methods. */
  readonly own: Calls
  /** Of the user now. */
  forbidden: Forbidden
  /** This UIKit does not reach its token through `this`. Said once. */
  misfit(): void
}

// biome-ignore lint/suspicious/noExplicitAny: what the UIKit takes and answers differs between versions
type Methods = { [name in CallName]?: ((...args: any[]) => Promise<any>) | undefined }

const UPLOAD_SIGNAL = 5

/** Method and path: ids are in the path, and what follows it does not decide who may see it. */
// biome-ignore lint/suspicious/noExplicitAny: as above
const resourceOf = ([url, second]: any[]): string =>
  `${second?.method ?? (typeof second === 'string' ? second : 'GET')} ${String(url).split(/[?#]/)[0]}`

/**
 * One call of the UIKit. It belongs to the user for whom it began: after a switch nothing more is sent for it, and its
 * caller is told so.
 */
// biome-ignore lint/suspicious/noExplicitAny: as above
export async function call(room: Room, name: CallName, args: any[]): Promise<any> {
  const { source, weavy } = room
  const own: Methods = room.own
  const session = source.session()
  const { signal } = session
  const token = createCallToken(source, session, room.forbidden, resourceOf(args), name === 'upload')
  let isSent = false

  const fetchOptions = async (...options: unknown[]) => {
    const init = await own.fetchOptions?.apply(view, options)
    if (!token.isAsked()) return init
    const joined = joinSignals(signal, init.signal)
    return {
      ...init,
      // Read when the request is made.
      get signal() {
        expectLasting(session)
        isSent = true
        return joined
      },
    }
  }
  const view = viewOf(weavy, session, {
    ...own,
    ...(own.fetchOptions && { fetchOptions }),
    getToken: token.get,
  })

  let onOver = () => {}
  const over = new Promise<never>((_, reject) => {
    onOver = () => reject(session.over)
    signal.addEventListener('abort', onOver)
  })
  const run = () => Promise.race([(view as Methods)[name]?.(...args), over])
  // Versions that cannot abort an upload have a flag in its place. A signal is as true.
  const flag = args[UPLOAD_SIGNAL]
  if (name === 'upload')
    args[UPLOAD_SIGNAL] = typeof flag === 'boolean' ? flag && signal : joinSignals(signal, flag)

  let status: number | undefined
  try {
    let answer = await run()
    if (answer?.status === 401 && (await token.heal())) answer = await run()
    expectLasting(session)
    if (!token.isAsked() && name !== 'fetchOptions') room.misfit()
    status = answer?.status
    return answer
  } catch (error) {
    expectLasting(session)
    if (isSent || (error as Error)?.name !== 'TypeError') throw error
    // Nothing was sent. What fails for the instance, too, is the caller's mistake.
    const answer = await own[name]?.apply(weavy, args)
    room.misfit()
    return answer
  } finally {
    signal.removeEventListener('abort', onOver)
    token.end(status)
  }
}
