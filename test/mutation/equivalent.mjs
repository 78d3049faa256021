/**
 * Changes to the source that no test can notice, and why. An entry ends with its code.
 *
 * @type {{ file: string, code: string, becomes: string, why: string }[]}
 */
export const EQUIVALENT = [
  {
    file: 'src/clock.ts',
    code: 'now > then',
    becomes: 'now >= then',
    why: 'The difference of two equal times is 0, too.',
  },
  {
    file: 'src/clock.ts',
    code: '{ wall: 0, mono: 0 }',
    becomes: '{}',
    why: 'A wait of 0 ms is over, whenever it began.',
  },
  {
    file: 'src/machine/answers.ts',
    code: 'ms > remainingMs(without.wait, now)',
    becomes: 'ms >= remainingMs(without.wait, now)',
    why: 'Of two waits that end at once either may be kept.',
  },
  {
    file: 'src/machine/sending.ts',
    code: 'machine.lastFlight + 1',
    becomes: 'machine.lastFlight - 1',
    why: 'Numbers of flights have to differ, no more.',
  },
  {
    file: 'src/token-source.ts',
    code: '!request && token && msSince(token.asked, readClock()) < token.freshMs',
    becomes: 'false',
    why: 'It is the same answer, quicker: the benchmark notices.',
  },
  {
    file: 'src/token-source.ts',
    code: 'msSince(token.asked, readClock()) < token.freshMs',
    becomes: 'msSince(token.asked, readClock()) <= token.freshMs',
    why: 'At that very moment the timer asks for a newer one.',
  },
  {
    file: 'src/waiters.ts',
    code: '++last',
    becomes: '--last',
    why: 'Numbers of callers have to differ, no more.',
  },
  {
    file: 'src/read-answer.ts',
    code: '{ return undefined }',
    becomes: '{}',
    why: 'A function that returns nothing returns undefined.',
  },
  {
    file: 'src/uikit/call-token.ts',
    code: "''",
    becomes: '"Stryker was here!"',
    why: 'It is read only after it was set.',
  },
  {
    file: 'src/uikit/call-token.ts',
    code: "'200'",
    becomes: '""',
    why: 'A key that no resource and no token has, either.',
  },
  {
    file: 'src/uikit/call.ts',
    code: 'own.fetchOptions?.apply',
    becomes: 'own.fetchOptions.apply',
    why: 'The view has it only where the instance has it.',
  },
  {
    file: 'src/uikit/call.ts',
    code: '(view as Methods)[name]?.(...args)',
    becomes: '(view as Methods)[name](...args)',
    why: 'Only methods that are there are wrapped.',
  },
  {
    file: 'src/uikit/call.ts',
    code: 'own[name]?.apply',
    becomes: 'own[name].apply',
    why: 'Only methods that are there are wrapped.',
  },
  {
    file: 'src/uikit/call.ts',
    code: "name === 'upload'",
    becomes: 'true',
    why: 'No other method reads a sixth argument.',
  },
  {
    file: 'src/uikit/connection.ts',
    code: '[]',
    becomes: '["Stryker was here"]',
    why: 'No instance has a method of that name.',
  },
  {
    file: 'src/uikit/connection.ts',
    code: 'over?.code',
    becomes: 'over.code',
    why: 'A session that is over has its reason.',
  },
  {
    file: 'src/uikit/content.ts',
    code: "'weavy-token:user'",
    becomes: '""',
    why: 'A name among names.',
  },
  {
    file: 'src/uikit/content.ts',
    code: 'n < text.length',
    becomes: 'n <= text.length',
    why: 'Another hash, as good as this one.',
  },
  {
    file: 'src/uikit/content.ts',
    code: "'.'",
    becomes: '""',
    why: 'Another hash, as good as this one.',
  },
  {
    file: 'src/uikit/content.ts',
    code: '{ return undefined }',
    becomes: '{}',
    why: 'A function that returns nothing returns undefined.',
  },
  {
    file: 'src/uikit/content.ts',
    code: 'cache?.remove',
    becomes: 'cache.remove',
    why: 'Where a mutation is, its cache is.',
  },
  {
    file: 'src/uikit/content.ts',
    code: 'weavy.queryClient?.cancelQueries',
    becomes: 'weavy.queryClient.cancelQueries',
    why: 'Its failure is ignored.',
  },
  {
    file: 'src/uikit/content.ts',
    code: 'weavy.queryClient?.resetQueries',
    becomes: 'weavy.queryClient.resetQueries',
    why: 'Its failure is ignored.',
  },
  {
    file: 'src/uikit/content.ts',
    code: '(timer as { unref?: () => void }).unref?.()',
    becomes: '(timer as { unref?: () => void; }).unref()',
    why: 'It is the last step, and its failure is ignored as that of a blocked storage.',
  },
  {
    file: 'src/uikit/content.ts',
    code: 'n < RESTORED_AFTER_MICROTASKS',
    becomes: 'n <= RESTORED_AFTER_MICROTASKS',
    why: 'One microtask more is as good.',
  },
  {
    file: 'src/uikit/forbidden.ts',
    code: 'performance.now() < (until.get(key) as number)',
    becomes: 'performance.now() <= (until.get(key) as number)',
    why: 'At that very moment either is right.',
  },
  {
    file: 'src/uikit/forbidden.ts',
    code: '(until.get(key) as number) > (until.get(than) as number)',
    becomes: 'until.get(key) as number >= (until.get(than) as number)',
    why: 'At that very moment either is right.',
  },
  {
    file: 'src/uikit/forbidden.ts',
    code: 'until.size > MAX_KEPT',
    becomes: 'until.size >= MAX_KEPT',
    why: 'A few hundred are as many with one more.',
  },
  {
    file: 'src/uikit/view.ts',
    code: "name === 'url'",
    becomes: 'true',
    why: 'What the UIKit does after the end of a call reaches nobody.',
  },
  {
    file: 'src/uikit.ts',
    code: "'weavy-token.connection'",
    becomes: '""',
    why: 'A name among names.',
  },
]
