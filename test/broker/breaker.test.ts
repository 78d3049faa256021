import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { admit, createBreaker, failed } from '../../src/broker/breaker.js'
import { Problem } from '../../src/broker/problem.js'
import { createWeavyApi, PROFILE_TIMEOUT_MS, WEAVY_TIMEOUT_MS } from '../../src/broker/weavy-api.js'
import { DEFAULT_RETRY_AFTER } from '../../src/broker/weavy-failure.js'
import { createDeferred } from '../deferred.js'
import { settle } from '../settle.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const ENVIRONMENT = { weavyUrl: 'https://acme.weavy.test', apiKey: 'wys_key' }
const REST_MS = DEFAULT_RETRY_AFTER * 1000

const issuing = () => Response.json({ access_token: 'wyu_1', expires_in: 3600 })
const withStatus =
  (status: number, headers = {}) =>
  () =>
    new Response(null, { status, headers })

/** Weavy as the broker calls it, its answers in the hand of the test. */
function createStage(answer: () => Response | Promise<Response> = issuing) {
  const lines: string[] = []
  const fetch = vi.fn<typeof globalThis.fetch>(async () => answer())
  const weavy = createWeavyApi({ expiresIn: 3600, fetch }, (line) => void lines.push(line))
  /** What becomes of a request: its token, or the code of its problem. */
  async function issue(uid: string) {
    try {
      return (await weavy.issueToken(ENVIRONMENT, uid, {})).token
    } catch (error) {
      expect(error).toBeInstanceOf(Problem)
      const { code, headers, logLine } = error as Problem
      if (logLine !== undefined) lines.push(logLine)
      return `${code} ${headers?.['Retry-After'] ?? ''}`.trim()
    }
  }
  const issueAll = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => issue(`u${i}-`)))
  return { weavy, lines, fetch, issue, issueAll, answerWith: (next: typeof answer) => (answer = next) }
}

describe('while Weavy hangs', () => {
  async function start() {
    const stage = createStage(() => new Promise(() => {}))
    const first = stage.issueAll(200)
    await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS)
    expect(await first).toEqual(Array(200).fill('weavy_timeout'))
    expect(stage.lines).toEqual([expect.stringContaining('did not answer within 8000 ms')])
    stage.fetch.mockClear()
    return stage
  }

  test('the call that went out to see is alone for as long as it may take', async () => {
    const { fetch, issue } = await start()
    await vi.advanceTimersByTimeAsync(REST_MS)
    const seeing = issue('seeing')
    await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS - 1)
    expect(await issue('another')).toMatch(/^weavy_unavailable /)
    await vi.advanceTimersByTimeAsync(1)
    expect(await seeing).toMatch(/^weavy_timeout/)
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  test('the next 200 users are told at once, and one call at a time goes out to see', async () => {
    const { fetch, issueAll, lines } = await start()
    expect(await issueAll(200)).toEqual(Array(200).fill('weavy_unavailable 5'))
    expect(fetch).not.toHaveBeenCalled()

    await vi.advanceTimersByTimeAsync(REST_MS)
    const replies = issueAll(200)
    await settle()
    await vi.advanceTimersByTimeAsync(WEAVY_TIMEOUT_MS)
    expect(await replies).toEqual(['weavy_timeout', ...Array(199).fill('weavy_unavailable 1')])
    expect(await issueAll(3)).toEqual(Array(3).fill('weavy_unavailable 5'))
    expect(fetch).toHaveBeenCalledOnce()
    expect(lines).toHaveLength(1)
  })

  test('the first answer ends it, with one line that counts', async () => {
    const { fetch, issueAll, issue, lines, answerWith } = await start()
    await issueAll(50)
    await vi.advanceTimersByTimeAsync(REST_MS)
    answerWith(issuing)
    expect(await issue('u1-')).toBe('wyu_1')
    expect(await issueAll(20)).toEqual(Array(20).fill('wyu_1'))
    expect(fetch).toHaveBeenCalledTimes(21)
    expect(lines.slice(1)).toEqual(['Weavy issues tokens again. Requests that failed meanwhile: 250.'])
  })

  test('a call that went out to see and never came back holds nobody up: some runtimes drop it with its client', () => {
    const problem = new Problem('rate_limited', 'line', { 'Retry-After': '5' }, 'everybody')
    const up = { status: 'up', since: 0 } as const
    const down = failed(up, { uid: 'u1-', began: 0, problem }, 0, false)
    const [probed, refused] = admit(down, REST_MS, 9_000)
    expect(refused).toBeUndefined()
    expect(admit(probed, REST_MS + 9_000, 9_000)[1]?.code).toBe('rate_limited')
    expect(admit(probed, REST_MS + 9_001, 9_000)[1]).toBeUndefined()
  })
})

describe('when Weavy says itself that it is down', () => {
  test.each([
    ['limits the rate', withStatus(429, { 'Retry-After': '60' }), 'rate_limited', 60],
    ['limits the rate and does not say for how long', withStatus(429), 'rate_limited', 5],
    ['is down and says for how long', withStatus(503, { 'Retry-After': '30' }), 'weavy_unavailable', 30],
    ['refuses the key', withStatus(401), 'broker_refused', 5],
  ])('%s: no request goes out before that is over, and it is one line', async (_, answer, code, seconds) => {
    const { fetch, issue, issueAll, lines, answerWith } = createStage(answer)
    expect(await issue('u0-')).toMatch(new RegExp(`^${code}`))
    expect(await issueAll(500)).toEqual(Array(500).fill(`${code} ${seconds}`))
    await vi.advanceTimersByTimeAsync(seconds * 1000 - 2_500)
    expect(await issue('u1-')).toBe(`${code} 3`)
    expect(fetch).toHaveBeenCalledOnce()
    expect(lines).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2_500)
    answerWith(issuing)
    expect(await issue('u1-')).toBe('wyu_1')
    expect(lines.slice(1)).toEqual(['Weavy issues tokens again. Requests that failed meanwhile: 502.'])
  })

  test('another reason is another line, each of them once', async () => {
    const { issue, lines, answerWith } = createStage(withStatus(503))
    for (const [i, status] of [503, 503, 401, 503, 401].entries()) {
      answerWith(withStatus(status))
      await issue(`u${i}-`)
      await vi.advanceTimersByTimeAsync(REST_MS)
    }
    expect(lines).toEqual([expect.stringContaining('503'), expect.stringContaining('401')])
  })

  test('a longer Retry-After of a call that began before is obeyed', async () => {
    const calls = [createDeferred<Response>(), createDeferred<Response>()]
    const { issue, fetch } = createStage(() => calls[fetch.mock.calls.length - 1]?.promise ?? issuing())
    const replies = [issue('u1-'), issue('u2-')]
    await vi.advanceTimersByTimeAsync(1)
    calls[0]?.resolve(withStatus(429, { 'Retry-After': '5' })())
    await vi.advanceTimersByTimeAsync(1_000)
    calls[1]?.resolve(withStatus(429, { 'Retry-After': '60' })())
    await Promise.all(replies)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await issue('u3-')).toBe('rate_limited 30')
  })

  test('the end of what one request has met is one line, too', async () => {
    const { issue, lines, answerWith } = createStage(withStatus(429))
    await issue('u1-')
    await vi.advanceTimersByTimeAsync(REST_MS)
    answerWith(issuing)
    await issue('u1-')
    expect(lines.slice(1)).toEqual(['Weavy issues tokens again. Requests that failed meanwhile: 1.'])
  })

  test('a success of a call that began later does not outdo it', async () => {
    const late = createDeferred<Response>()
    const { issue, answerWith } = createStage(() => late.promise)
    const before = issue('u1-')
    await vi.advanceTimersByTimeAsync(1)
    answerWith(issuing)
    expect(await issue('u2-')).toBe('wyu_1')
    late.resolve(withStatus(429, { 'Retry-After': '60' })())
    await before
    expect(await issue('u3-')).toBe('rate_limited 60')
  })

  test('the success of a call that began before it ends nothing', async () => {
    const late = createDeferred<Response>()
    const { issue, fetch, lines, answerWith } = createStage(() => late.promise)
    const before = issue('u1-')
    await vi.advanceTimersByTimeAsync(1)
    answerWith(withStatus(429, { 'Retry-After': '60' }))
    await issue('u2-')
    late.resolve(issuing())
    expect(await before).toBe('wyu_1')
    expect(await issue('u3-')).toBe('rate_limited 60')
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(lines).toEqual([expect.stringContaining('429')])
  })
})

describe('a failure that may be about one user', () => {
  test.each([
    ['a 500', withStatus(500)],
    ['a 403', withStatus(403)],
    ['no token', () => Response.json({})],
  ])('%s shuts nobody else out, however often that user asks, and is one line', async (_, answer) => {
    const { fetch, issue, lines, answerWith } = createStage(answer)
    for (let i = 0; i < 5; i++) await issue('poison-')
    expect(fetch).toHaveBeenCalledTimes(5)
    expect(lines).toHaveLength(1)
    answerWith(issuing)
    expect(await issue('u1-')).toBe('wyu_1')
    expect(lines).toEqual([
      expect.anything(),
      'Weavy issues tokens again. Requests that failed meanwhile: 5.',
    ])
  })

  test('counts for everybody when a second user meets it before anybody has a success', async () => {
    const { fetch, issue, answerWith } = createStage(withStatus(500))
    await issue('u1-')
    await issue('u2-')
    answerWith(issuing)
    for (const uid of ['u3-', 'u1-', 'u2-']) expect(await issue(uid)).toBe('weavy_unavailable 5')
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('is over with a success that began after all that users met, and is counted once', async () => {
    const success = createDeferred<Response>()
    const { issue, fetch, lines, answerWith } = createStage(withStatus(500))
    await issue('poison-')
    await vi.advanceTimersByTimeAsync(1)
    fetch.mockImplementationOnce(() => success.promise)
    const between = issue('u1-')
    await vi.advanceTimersByTimeAsync(1)
    await issue('poison-')
    success.resolve(issuing())
    await between
    expect(lines).toHaveLength(1)
    answerWith(issuing)
    await issue('u2-')
    expect(lines.slice(1)).toEqual(['Weavy issues tokens again. Requests that failed meanwhile: 2.'])
  })

  test('does not add up over successes', async () => {
    const { issue, lines, answerWith } = createStage()
    for (const uid of ['u1-', 'u2-', 'u3-']) {
      answerWith(withStatus(500))
      expect(await issue(uid)).toBe('weavy_unavailable 5')
      answerWith(issuing)
      expect(await issue('other-')).toBe('wyu_1')
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(lines).toHaveLength(3)
  })

  test('a user whom Weavy does not take is no outage: Weavy has answered', async () => {
    const { issue, issueAll, lines, answerWith } = createStage(withStatus(503))
    await issue('u1-')
    answerWith(withStatus(422))
    expect(await issueAll(3)).toEqual(Array(3).fill('request_refused'))
    answerWith(withStatus(503))
    await issue('u2-')
    answerWith(issuing)
    expect(await issue('u3-')).toBe('wyu_1')
    expect(lines).toHaveLength(5)
  })
})

describe('users whom Weavy cannot serve', () => {
  const hurt = ['poison1-', 'poison2-']

  /** Weavy serves everybody but them. */
  function createPoisonedStage(failure: () => Response = withStatus(500)) {
    const stage = createStage()
    stage.fetch.mockImplementation(async (url) => (String(url).includes('poison') ? failure() : issuing()))
    return stage
  }

  test.each([
    ['a 500', withStatus(500)],
    ['a 403', withStatus(403)],
    ['no token', () => Response.json({})],
  ])('shut the others out for one rest at most, however often they ask: %s', async (_, failure) => {
    const { issue } = createPoisonedStage(failure)
    for (const uid of hurt) await issue(uid)
    expect(await issue('u1-')).toMatch(/ 5$/)
    await vi.advanceTimersByTimeAsync(REST_MS)
    // They come first, and that is no probe.
    for (const uid of hurt) await issue(uid)
    expect(await issue('u1-')).toBe('wyu_1')
    for (let round = 0; round < 5; round++) {
      for (const uid of [...hurt, ...hurt]) await issue(uid)
      expect(await issue('u2-')).toBe('wyu_1')
      await vi.advanceTimersByTimeAsync(REST_MS)
    }
  })

  test('hold nobody up while their call is on its way', async () => {
    const { issue, fetch } = createPoisonedStage()
    await issue('poison1-')
    await issue('poison2-')
    await vi.advanceTimersByTimeAsync(REST_MS)
    const call = createDeferred<Response>()
    fetch.mockImplementationOnce(() => call.promise)
    const probe = issue('poison1-')
    expect(await issue('u1-')).toBe('wyu_1')
    call.resolve(withStatus(500)())
    await probe
    await issue('poison2-')
    expect(await issue('u2-')).toBe('wyu_1')
  })

  test('are spared calls as the others are while Weavy is down for them', async () => {
    const { issue, fetch } = createPoisonedStage()
    for (const uid of hurt) await issue(uid)
    fetch.mockClear()
    for (let second = 0; second < 50; second++) {
      for (const uid of hurt) await issue(uid)
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(fetch.mock.calls.length).toBeLessThanOrEqual(10)
    expect(fetch).toHaveBeenCalled()
  })

  test('a limit that Weavy tells one of them is one for all', async () => {
    const { issue, fetch } = createPoisonedStage()
    await issue('poison1-')
    expect(await issue('u1-')).toBe('wyu_1')
    fetch.mockImplementationOnce(async () => withStatus(429, { 'Retry-After': '60' })())
    await issue('poison1-')
    expect(await issue('u1-')).toBe('rate_limited 60')
    expect(await issue('poison1-')).toBe('rate_limited 60')
  })

  test('a success makes a user one of the others again', async () => {
    const { issue, answerWith } = createStage(withStatus(500))
    await issue('u1-')
    answerWith(issuing)
    await issue('u1-')
    answerWith(withStatus(500))
    await issue('u1-')
    await issue('u2-')
    expect(await issue('u3-')).toBe('weavy_unavailable 5')
  })
})

describe('profiles that Weavy does not take', () => {
  function createProfileStage() {
    const { weavy, fetch, lines } = createStage()
    fetch.mockImplementation(
      async (url) => new Response(null, { status: /poison/.test(String(url)) ? 500 : 200 }),
    )
    const update = (uid: string) =>
      weavy.upsertUser(ENVIRONMENT, uid, {}).then(
        () => 'done',
        ({ code }: Problem) => code,
      )
    return { weavy, update, fetch, lines }
  }

  test('of one user stop those of the others for one rest at most', async () => {
    const { weavy, update, lines } = createProfileStage()
    expect(await update('poison-')).toBe('weavy_unavailable')
    await vi.advanceTimersByTimeAsync(REST_MS)
    for (let round = 0; round < 5; round++) {
      expect(await update('poison-')).toBe('weavy_unavailable')
      expect(await update('u1-')).toBe('done')
      expect(weavy.takesProfiles('u1-')).toBe(true)
      // A request of that user does not wait for an update that fails.
      expect(weavy.takesProfiles('poison-')).toBe(false)
      await vi.advanceTimersByTimeAsync(REST_MS)
    }
    expect(lines.slice(1)).toEqual(
      Array(4).fill('Weavy takes profiles again. Requests that failed meanwhile: 1.'),
    )
  })

  test('are tried by one call at a time, for as long as that may take', async () => {
    const { update, fetch } = createProfileStage()
    await update('poison-')
    await vi.advanceTimersByTimeAsync(REST_MS)
    fetch.mockClear().mockImplementation(() => new Promise(() => {}))
    const trying = update('u1-')
    await vi.advanceTimersByTimeAsync(PROFILE_TIMEOUT_MS - 1)
    const refused = update('u2-')
    await vi.advanceTimersByTimeAsync(1)
    expect(await trying).toBe('weavy_timeout')
    expect(await refused).toBe('weavy_unavailable')
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('are not sent while Weavy issues no tokens', async () => {
    const { weavy, issue, fetch } = createStage(withStatus(429))
    await issue('u1-')
    expect(weavy.takesProfiles('u2-')).toBe(false)
    await expect(weavy.upsertUser(ENVIRONMENT, 'u2-', {})).rejects.toMatchObject({
      code: 'weavy_unavailable',
    })
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('because Weavy takes none say nothing about the user who met it', async () => {
    const { weavy, update, fetch } = createProfileStage()
    fetch.mockImplementationOnce(async () => withStatus(429)())
    expect(await update('u1-')).toBe('rate_limited')
    expect(weavy.takesProfiles('u2-')).toBe(false)
    await vi.advanceTimersByTimeAsync(REST_MS)
    expect(await update('u2-')).toBe('done')
    expect(weavy.takesProfiles('u1-')).toBe(true)
  })

  test('are kept in mind of 1,000 users: the one whose failure is the oldest gives way', async () => {
    const { weavy, update } = createProfileStage()
    async function fail(uid: string) {
      await update(uid)
      await vi.advanceTimersByTimeAsync(REST_MS)
      await update('u1-')
    }
    for (let i = 0; i < 1_000; i++) await fail(`poison${i}-`)
    await fail('poison0-')
    expect(weavy.takesProfiles('poison1-')).toBe(false)
    await fail('poison-')
    expect(weavy.takesProfiles('poison0-')).toBe(false)
    expect(weavy.takesProfiles('poison1-')).toBe(true)
  })
})

test('failures of calls that began before Weavy was up again are old news', async () => {
  const old = createDeferred<Response>()
  const { issue, lines, answerWith } = createStage(() => old.promise.then((response) => response.clone()))
  const before = [issue('u1-'), issue('u0-')]
  await vi.advanceTimersByTimeAsync(1)
  answerWith(withStatus(401))
  await issue('u2-')
  await vi.advanceTimersByTimeAsync(REST_MS)
  answerWith(issuing)
  expect(await issue('u3-')).toBe('wyu_1')
  old.resolve(withStatus(401)())
  expect(await Promise.all(before)).toEqual(['broker_refused', 'broker_refused'])
  expect(await issue('u4-')).toBe('wyu_1')
  expect(lines.filter((line) => line.includes('again'))).toHaveLength(1)
})

describe('failures that add up', () => {
  const problem = (seconds: number) =>
    new Problem('weavy_unavailable', 'line', { 'Retry-After': String(seconds) }, 'unclear')
  const up = { status: 'up', since: 0 } as const

  test('began with the first of them: a success of a call that began after that one ends them', () => {
    const once = failed(up, { uid: 'u1-', began: 10, problem: problem(5) }, 20, false)
    const twice = failed(once, { uid: 'u1-', began: 30, problem: problem(5) }, 40, false)
    expect(twice).toEqual({ status: 'suspect', since: 20, uid: 'u1-' })
  })

  test('a shorter Retry-After takes nothing from a longer one', () => {
    const once = failed(up, { uid: 'u1-', began: 10, problem: problem(60) }, 20, true)
    const twice = failed(once, { uid: 'u2-', began: 15, problem: problem(5) }, 30, true)
    expect(twice).toMatchObject({ status: 'down', since: 20, until: 60_020 })
  })
})

test('a problem is called so, and by its code where it has no line', () => {
  expect(String(new Problem('broker_failed'))).toBe('Problem: broker_failed')
  expect(String(new Problem('broker_failed', 'A line.'))).toBe('Problem: A line.')
})

test('an error of our own is passed on, and no failure of Weavy', async () => {
  const breaker = createBreaker({ name: 'It works again', maxCallMs: 1, isStrict: true }, () => {})
  const error = new TypeError('ours')
  await expect(breaker.run('u1-', () => Promise.reject(error))).rejects.toBe(error)
  expect(breaker.isDown()).toBe(false)
})
