import { lifetimeMs } from '../token.js'
import { digestOf } from '../wire.js'
import { type Answer, type AskBroker, shown } from './ask-broker.js'
import { about, type Finding } from './finding.js'

const named = about({
  promise: 'expires_in is there',
  why: 'Without it a page learns of an expiry by a request that Weavy refuses, at every expiry.',
  change: 'Keep the time of expiry beside the token, and answer the seconds that remain.',
})
const counting = about({
  promise: 'expires_in of a reused token counts down',
  why: 'A page that is told more than what remains uses a dead token.',
  change: 'Answer expiresAt - now, not the life that the token had at first.',
})
const replacing = about({
  promise: 'refresh=true replaces the token',
  why: 'A page asks so when Weavy refused its token. The same one again ends in the error rejected.',
  change: 'Ask Weavy for a new token when the query has refresh=true, and keep that one.',
})
const naming = about({
  promise: 'sub names the user',
  why: 'With it a page notices that another user signed in to the same session, and never acts as that one.',
  change: 'Answer "sub" as well: the first 22 characters of the base64url SHA-256 of the uid.',
})
const swapping = about({
  promise: 'held: tabs that renew ahead of expiry share one new token',
  why: 'Without it each tab makes a token of its own at every expiry.',
  change: 'With refresh=true&held=…: when the stored token has another digest and is good, answer with it.',
})
const healing = about({
  promise: 'refused: a refused token is replaced once',
  why: 'Without it a revocation costs a new token for each tab.',
  change:
    'With refresh=true&refused=…: keep the digests of refused tokens; replace the stored token unless that one was replaced for the same digest.',
})

/** A broker that shares one replacement among tabs does so for five seconds. */
const SHARED_MS = 6000

export type Wait = (ms: number) => Promise<unknown>

/** What asking again for a token that is there tells. */
export async function reuse(ask: AskBroker, first: Answer, wait: Wait): Promise<Finding[]> {
  const { asked, expiresIn } = first
  const life = lifetimeMs(expiresIn)
  if (life === Number.POSITIVE_INFINITY)
    return [
      named.warn(asked, expiresIn === undefined ? 'none' : 'no number'),
      counting.skip('there is no expires_in'),
    ]
  const found = [life > 0 ? named.ok(asked, `${life / 1000} s`) : named.fail(asked, '0 s')]
  await wait(2000)
  const second = await ask()
  const again = `${asked}, again 2 s later`
  const isSame = second.token === first.token
  const remains = lifetimeMs(second.expiresIn)
  const came = `${life / 1000} s, then ${remains / 1000} s`
  if (!second.token) found.push(counting.fail(again, second.came))
  else if (!isSame) found.push(counting.ok(again, 'a new token each time'))
  else if (remains > life - 1000) found.push(counting.fail(again, came))
  else found.push(counting.ok(again, came))
  return found
}

/** Whether a refresh brings another token. Resolves with the newest answer, too. */
export async function refresh(ask: AskBroker, first: Answer, wait: Wait): Promise<[Finding, Answer]> {
  let second = await ask({ refresh: true })
  if (second.token === first.token) {
    await wait(SHARED_MS)
    second = await ask({ refresh: true })
  }
  const { asked, token, came } = second
  if (!token) return [replacing.fail(asked, came), first]
  if (token === first.token) return [replacing.fail(asked, 'the same token'), first]
  return [replacing.ok(asked, `${await shown(String(first.token))}, then ${await shown(token)}`), second]
}

/** What two tabs that asked for the same replacement got in place of one new token. */
const wrongWith = (one: Answer, two: Answer, before: Answer): string | undefined => {
  const failed = [one, two].find(({ token }) => !token)
  if (failed) return failed.came
  if (one.token === before.token) return 'the old token'
  return one.token === two.token ? undefined : 'two new tokens'
}

/** The three fields that a broker may know: `sub`, `held`, `refused`. The last two are asked only of one that knows the first. */
export async function digests(ask: AskBroker, first: Answer, newest: Answer): Promise<Finding[]> {
  const { asked, sub } = first
  if (typeof sub !== 'string' || !sub)
    return [naming.warn(asked, 'none'), swapping.skip('there is no sub'), healing.skip('there is no sub')]
  if (newest.sub !== sub)
    return [
      naming.fail(newest.asked, 'another sub for the same session', {
        change: 'One sub belongs to one user.',
      }),
    ]
  const digest = async ({ token }: Answer) => String(await digestOf(String(token)))
  const old = await digest(newest)
  const swapped = await ask({ refresh: true, held: old })
  const kept = await ask({ refresh: true, held: old })
  const refused = await digest(kept)
  const healed = await ask({ refresh: true, refused })
  const shared = await ask({ refresh: true, refused })
  const notSwapped = wrongWith(swapped, kept, newest)
  const notHealed = wrongWith(healed, shared, kept)
  const hidden = (name: string) => `GET …?refresh=true&${name}=…, twice`
  return [
    naming.ok(asked, 'the same one for the same user'),
    notSwapped ? swapping.warn(hidden('held'), notSwapped) : swapping.ok(hidden('held'), 'one new token'),
    notHealed
      ? healing[healed.token === kept.token ? 'fail' : 'warn'](hidden('refused'), notHealed)
      : healing.ok(hidden('refused'), 'one new token'),
  ]
}
