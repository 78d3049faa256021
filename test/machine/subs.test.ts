import { expect, test } from 'vitest'
import { isSameUser, learn, type Subs, subOf, unlearn, whose } from '../../src/machine/subs.js'

const given = (user: string | undefined, sub: string) => ({ user, sub, isGiven: true })
const heard = (user: string | undefined, sub: string) => ({ user, sub, isGiven: false })

test.each([
  ['5', 5, true],
  ['a', 'b', false],
  [null, null, true],
  [undefined, undefined, true],
  [null, undefined, false],
  ['null', null, false],
  [undefined, 'undefined', false],
])('%j and %j are the same user: %j', (a, b, is) => {
  expect(isSameUser(a, b)).toBe(is)
  expect(isSameUser(b, a)).toBe(is)
})

test.each<[string, Subs, string | undefined, string | undefined, string]>([
  ['no sub says nothing', [heard('a', 's1')], 'a', undefined, 'ours'],
  ['the one that is known', [heard('a', 's1')], 'a', 's1', 'ours'],
  ['another than the one that is known', [heard('a', 's1')], 'a', 's2', 'other'],
  ['without a user, another one is the next user', [heard(undefined, 's1')], undefined, 's2', 'next'],
  ['of a user who is not known yet', [], 'a', 's1', 'ours'],
  ['that of another user', [heard('a', 's1')], 'b', 's1', 'other'],
  ['one that came before there was a user', [heard(undefined, 's1')], 'b', 's1', 'ours'],
  ['without a user, anybody’s', [heard('a', 's1')], undefined, 's1', 'ours'],
])('a sub: %s', (_, subs, user, sub, answer) => {
  expect(whose(subs, user, sub)).toBe(answer)
})

test.each<[string, Subs, Parameters<typeof learn>, Subs]>([
  ['nothing, where there is none', [heard('a', 's1')], [[], 'a', undefined], [heard('a', 's1')]],
  ['nothing of nobody', [heard('a', 's1')], [[], null, 's2'], [heard('a', 's1')]],
  ['the latest first', [heard('a', 's1')], [[], 'b', 's2'], [heard('b', 's2'), heard('a', 's1')]],
  ['nothing new in what was heard again', [given('a', 's1')], [[], 'a', 's1'], [given('a', 's1')]],
  ['that the app says what was heard', [heard('a', 's1')], [[], 'a', 's1', true], [given('a', 's1')]],
  ['another one of that user', [heard('a', 's1')], [[], 'a', 's2'], [heard('a', 's2')]],
  [
    'that one sub belongs to one user, if the app says so',
    [heard('a', 's1')],
    [[], 'b', 's1', true],
    [given('b', 's1')],
  ],
  ['and keeps the others', [heard('a', 's1')], [[], 'b', 's2', true], [given('b', 's2'), heard('a', 's1')]],
  ['no such thing from a broker', [given('a', 's1')], [[], 'b', 's1'], [heard('b', 's1'), given('a', 's1')]],
])('it learns %s', (_, subs, [, ...said], after) => {
  expect(learn(subs, ...said)).toEqual(after)
})

test('the last eight users are known', () => {
  let subs: Subs = []
  for (let n = 1; n <= 9; n++) subs = learn(subs, n, `s${n}`)
  expect([subs.length, subOf(subs, 1), subOf(subs, '2'), subOf(subs, 9)]).toEqual([8, undefined, 's2', 's9'])
})

test('what a broker said of a user is forgotten, what the app said is not', () => {
  expect(unlearn([heard('a', 's1'), heard('b', 's2')], 'a')).toEqual([heard('b', 's2')])
  expect(unlearn([given('a', 's1')], 'a')).toEqual([given('a', 's1')])
})
