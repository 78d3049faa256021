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
]
