import { afterEach, beforeEach, expect, type Mock, test, vi } from 'vitest'
import { createReport } from '../../src/broker/report.js'
import { ask, createTestBroker } from './ask.js'

let error: Mock<typeof console.error>
beforeEach(() => {
  error = vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => vi.restoreAllMocks())

const printed = () => error.mock.calls.map(([line]) => line)

/** Writes lines through a method of its own, as the loggers of many libraries do. */
class Logger {
  readonly lines: string[] = []
  error(line: string) {
    this.lines.push(line)
  }
}

test('a line has a name in front and goes to the log alone', () => {
  const logger = new Logger()
  createReport((line) => logger.error(line))('It rains.')
  expect(logger.lines).toEqual(['weavy-token broker: It rains.'])
  expect(printed()).toEqual([])
})

test('a method without its object loses no line: they go to console.error, the first time with the cure', () => {
  const { error: unbound } = new Logger()
  const report = createReport(unbound)
  for (const line of ['one', 'two']) report(line)
  expect(printed()).toEqual([
    expect.stringMatching(/^weavy-token broker: The log option threw.*\(line\) => logger\.error\(line\)$/),
    'weavy-token broker: one',
    'weavy-token broker: two',
  ])
})

test('a log that rejects loses no line', async () => {
  createReport(() => Promise.reject(new Error('full')))('one')
  await Promise.resolve()
  expect(printed()).toEqual([expect.stringContaining('The log option threw'), 'weavy-token broker: one'])
})

test('a console.error that throws harms nobody', () => {
  error.mockImplementation(() => {
    throw new Error('closed')
  })
  expect(() => createReport(new Logger().error)('one')).not.toThrow()
})

test('a request is answered whatever the log does', async () => {
  const log = () => {
    throw new Error('log')
  }
  const { broker } = createTestBroker({ log, user: () => ({ uid: '' }) })
  expect((await ask(broker)).status).toBe(500)
  expect(printed()).toEqual([expect.stringContaining('The log'), expect.stringContaining('The uid cannot')])
})

test('without a log the line goes to console.error, and a console.error that throws harms nobody', async () => {
  const { broker } = createTestBroker({ log: undefined, user: () => ({ uid: '' }) })
  await ask(broker)
  expect(printed()).toEqual([
    expect.stringMatching(/^weavy-token broker: The uid cannot be used: it is empty/),
  ])
  error.mockImplementation(() => {
    throw new Error('closed')
  })
  expect((await ask(broker)).status).toBe(500)
  expect(error).toHaveBeenCalledTimes(2)
})
