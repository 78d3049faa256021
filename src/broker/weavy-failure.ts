import { retryAfterMs } from '../wire.js'
import { Problem } from './problem.js'
import { safely } from './safely.js'

/** What a caller is told to wait when Weavy does not say, in seconds. */
export const DEFAULT_RETRY_AFTER = 5

const MAX_RETRY_AFTER = 3_600

/** Weavy's `Retry-After` in seconds, from 1 s to 1 h. @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfter(response?: Response): Record<string, string> {
  const headers = response?.headers
  const ms = retryAfterMs(headers?.get('retry-after') ?? null, headers?.get('date') ?? null)
  const seconds = ms === undefined ? DEFAULT_RETRY_AFTER : Math.floor(ms / 1000)
  return { 'Retry-After': String(Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER)) }
}

/** The problem with an answer that is no success. Its body stays unread: it could quote anything. */
export function refusal(call: string, response: Response): Problem {
  const { status } = response
  const answered = `${call}: Weavy answered ${status}.`
  if (status === 429) return new Problem('rate_limited', answered, retryAfter(response), 'everybody')
  if (status >= 500) {
    const scope = response.headers.has('retry-after') ? 'everybody' : 'unclear'
    return new Problem('weavy_unavailable', answered, retryAfter(response), scope)
  }
  // 0 is how some runtimes show a redirect that they were told not to follow.
  if (status < 400)
    return new Problem('broker_refused', `${call}: Weavy answered with a redirect. Check weavyUrl.`)
  if (status === 401 || status === 403) {
    const line = `${answered} Check that apiKey is valid and belongs to weavyUrl.`
    return new Problem('broker_refused', line, undefined, status === 401 ? 'everybody' : 'unclear')
  }
  if ([400, 409, 413, 422].includes(status)) {
    const line = `${answered} Check the uid and the profile that user() returns.`
    return new Problem('request_refused', line, undefined, 'user')
  }
  return new Problem('broker_refused', `${answered} Check weavyUrl.`)
}

/** The problem with an answer that has no end, or no business to be that large. */
export function tooLarge(call: string, maxBytes: number): Problem {
  return new Problem(
    'weavy_bad_answer',
    `${call}: the answer is larger than ${maxBytes} bytes. Check weavyUrl.`,
  )
}

function codeOf(error: unknown): unknown {
  const { cause, code } = error as { cause?: { code?: unknown } | null; code?: unknown }
  return cause?.code ?? code
}

/** The problem with a request that got no answer. Of its error only a short system code, such as ECONNREFUSED, is kept. */
export function unreachable(call: string, error: unknown): Problem {
  const code = safely(() => codeOf(error), undefined)
  const reason = typeof code === 'string' && /^\w{1,40}$/.test(code) ? ` (${code})` : ''
  return new Problem('weavy_unavailable', `${call}: Weavy cannot be reached${reason}.`, retryAfter())
}
