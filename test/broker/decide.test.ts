import { describe, expect, test } from 'vitest'
import { alsoRefused, askOf, decide, REPLACEMENTS_AT_ONCE } from '../../src/broker/decide.js'
import { MAX_REFUSED, type TokenRecord } from '../../src/broker/record.js'
import { digestOf } from './ask.js'

const now = 1_800_000_000_000
const token = 'wyu_stored'
const D = digestOf('wyu_other')
const OWN = digestOf(token)

function recordWith(fields: Partial<TokenRecord> = {}): TokenRecord {
  const life = { issuedAt: now - 60_000, lifetimeMs: 3_600_000, replacedAt: null }
  return {
    owner: 'o',
    key: 'k',
    generation: null,
    version: 1,
    token,
    ...life,
    refused: [],
    paidUntil: 0,
    ...fields,
  }
}

describe('what a request wants is in its URL', () => {
  const url = 'https://app.example/api/token'
  test.each([
    ['', { wants: 'any' }],
    ['?refresh=true', { wants: 'newer' }],
    ['?refresh=false', { wants: 'any' }],
    [`?held=${D}`, { wants: 'any' }],
    [`?refused=${D}`, { wants: 'any' }],
    [`?refresh=true&held=${D}`, { wants: 'other', held: D }],
    [`?held=${D}&tenant=1&refresh=true#x`, { wants: 'other', held: D }],
    [`?refresh=true&refused=${D}`, { wants: 'healed', refused: D }],
    [`?refresh=true&held=${D}&refused=${OWN}`, { wants: 'healed', refused: OWN }],
  ])('%s', (query, ask) => {
    expect(askOf(url + query)).toEqual(ask)
  })

  test.each([
    '',
    'x',
    `${D}x`,
    D.slice(1),
    'wyu_a_token_that_leaked',
    '%00'.repeat(22),
    `${'é'.repeat(22)}`,
    `${D.slice(1)}%41`,
  ])('rubbish in held or refused is ignored: %j', (rubbish) => {
    expect(askOf(`${url}?refresh=true&held=${rubbish}`)).toEqual({ wants: 'newer' })
    expect(askOf(`${url}?refresh=true&refused=${rubbish}`)).toEqual({ wants: 'newer' })
  })
})

describe('with nothing stored', () => {
  test.each([
    [askOf('?refresh=false'), { isReplacement: false, refused: [], paidUntil: 0 }],
    [askOf('?refresh=true'), { isReplacement: true, refused: [], paidUntil: 0 }],
    [askOf(`?refresh=true&held=${D}`), { isReplacement: true, refused: [], paidUntil: 0 }],
    [askOf(`?refresh=true&refused=${D}`), { isReplacement: true, refused: [D], paidUntil: 0 }],
  ])('%j calls Weavy', (ask, plan) => {
    expect(decide(undefined, ask, now)).toEqual({ is: 'call', plan })
  })
})

describe('held: compare and swap', () => {
  test('another token with life left is the answer', () => {
    const record = recordWith()
    expect(decide(record, { wants: 'other', held: D }, now)).toEqual({ is: 'serve', record })
  })

  test('the same one is replaced, and is not dead for it', () => {
    const decision = decide(recordWith({ refused: [D] }), { wants: 'other', held: OWN }, now)
    expect(decision).toMatchObject({ is: 'call', plan: { isReplacement: true, refused: [D] } })
  })

  test('another one in the last part of its life is replaced', () => {
    const record = recordWith({ issuedAt: now - 3_550_000 })
    expect(decide(record, { wants: 'other', held: D }, now)).toMatchObject({ is: 'call' })
  })
})

describe('refused', () => {
  test('a token that was replaced for this very refusal: what replaced it is the answer', () => {
    const record = recordWith({ refused: [D] })
    expect(decide(record, { wants: 'healed', refused: D }, now)).toEqual({ is: 'serve', record })
  })

  test('an older token: what is stored is as dead, because all may have been revoked', () => {
    const decision = decide(recordWith(), { wants: 'healed', refused: D }, now)
    expect(decision).toMatchObject({ is: 'call', plan: { refused: [OWN, D] } })
  })

  test('the stored one, although it is on the list: replaced again', () => {
    const decision = decide(recordWith({ refused: [OWN] }), { wants: 'healed', refused: OWN }, now)
    expect(decision).toMatchObject({ is: 'call', plan: { refused: [OWN] } })
  })

  test('at once after a replacement, where refresh=true alone would get the same token for 5 s', () => {
    const record = recordWith({ replacedAt: now - 1, refused: [D] })
    expect(decide(record, { wants: 'newer' }, now)).toMatchObject({ is: 'serve' })
    expect(decide(record, { wants: 'healed', refused: OWN }, now)).toMatchObject({ is: 'call' })
  })

  test('lists the newest eight', () => {
    const all = Array.from({ length: 12 }, (_, i) => digestOf(`wyu_${i}`))
    expect(all.reduce<string[]>((known, one) => alsoRefused(known, one), [])).toEqual(all.slice(-MAX_REFUSED))
    expect(alsoRefused(['a', 'b'], 'a')).toEqual(['b', 'a'])
  })
})

describe('how often a token may be replaced', () => {
  /** Refuses each token that comes, every `everyMs`. */
  function refuseInALoop(everyMs: number, times: number, lifetimeMs = 3_600_000) {
    let record = recordWith({ lifetimeMs, issuedAt: now })
    const served: number[] = []
    const waits: number[] = []
    for (let i = 0; i < times; i += 1) {
      const at = now + i * everyMs
      const decision = decide(record, { wants: 'healed', refused: digestOf(record.token) }, at)
      if (decision.is === 'call') {
        served.push(at - now)
        record = recordWith({ ...decision.plan, token: `wyu_${i}`, issuedAt: at, lifetimeMs })
      } else if (decision.is === 'wait') waits.push(decision.ms)
    }
    return { served, waits }
  }

  test('20 times at once, then the caller is told how long to wait', () => {
    const { served, waits } = refuseInALoop(0, 100)
    expect(served).toHaveLength(REPLACEMENTS_AT_ONCE)
    expect(new Set(waits)).toEqual(new Set([5_000]))
  })

  test('then once per 5 s', () => {
    expect(refuseInALoop(100, 1_000).served).toHaveLength(REPLACEMENTS_AT_ONCE + 19)
  })

  test('once per 5 s never has to wait', () => {
    expect(refuseInALoop(5_000, 200).waits).toEqual([])
  })

  test('a life of seconds: twice per life never has to wait', () => {
    expect(refuseInALoop(1_000, 300, 2_000).waits).toEqual([])
  })

  test('a clock that was set back makes nobody wait for longer', () => {
    const record = recordWith({ issuedAt: now, paidUntil: now + 86_400_000 })
    const decision = decide(record, { wants: 'healed', refused: OWN }, now)
    expect(decision).toEqual({ is: 'wait', ms: 5_000 })
  })
})

test.each([
  [60_000, 'serve'],
  [60_001, 'call'],
])('a token issued %i ms ahead of this clock: %s', (aheadMs, is) => {
  const record = recordWith({ issuedAt: now + aheadMs })
  expect(decide(record, { wants: 'any' }, now)).toMatchObject({ is })
})
