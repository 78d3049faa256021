import { describe, expect, test, vi } from 'vitest'
import { APP, check, faults, like, named, ourBroker, SESSION, serve, startWorld, userOf } from './world.js'

startWorld()

describe('redirects', () => {
  /** A broker that answers at `/api/token/` only, as frameworks do that want a slash at the end. */
  const withSlash = (headers: Record<string, string> = {}) => {
    const broker = ourBroker()
    return serve(async (request) => {
      const { pathname, search } = new URL(request.url)
      return pathname.endsWith('/')
        ? broker.fetch(request)
        : new Response(null, { status: 308, headers: { ...headers, location: `${pathname}/${search}` } })
    })
  }

  const CORS = { 'access-control-allow-origin': APP, 'access-control-allow-credentials': 'true' }

  test('of the same origin are followed, as a page does', async () => {
    const url = await withSlash({ ...CORS, vary: 'Origin' })
    const found = await check(url)
    expect(faults(found)).toEqual(['warn: A preflight of --origin is answered'])
    const { origin, pathname } = new URL(url)
    expect(named(found, 'No redirect to a sign-in page').came).toBe(
      `308 to ${origin}${pathname}/, then 200 application/json`,
    )
    expect(named(found, 'Without a session: 401')).toMatchObject({
      result: 'ok',
      came: `308 to ${origin}${pathname}/, then 401 application/problem+json`,
    })
    expect(named(found, 'A preflight of --origin is answered').came).toBe(`308 to ${origin}${pathname}/`)
  })

  test('hide the answer from pages of another origin, when they carry no CORS headers', async () => {
    expect(named(await check(await withSlash()), 'Pages of --origin can read the answer')).toMatchObject({
      result: 'fail',
      came: 'its origin is not allowed',
    })
  })

  test('of another origin get nothing of what was given', async () => {
    const elsewhere = vi.fn(async () => Response.json({ access_token: 'wyu_elsewhere' }))
    const foreign = new URL(await serve(elsewhere)).origin
    const url = await serve(async (request) =>
      Response.redirect(
        new URL(request.url).pathname === '/hop' ? `${foreign}/login` : new URL('/hop', request.url),
      ),
    )
    const found = await check(url)
    expect(named(found, 'No redirect to a sign-in page')).toMatchObject({
      result: 'fail',
      came: `302 to ${new URL(url).origin}/hop, then 302 to ${foreign}/login`,
    })
    expect(elsewhere).not.toHaveBeenCalled()
  })

  test.each([
    ['/login;jsessionid=5ecret', '/login'],
    ['/login%3Bjsessionid=5ecret/form', '/login/form'],
    ['/login/wyu_5ecret', '/login/wyu_…'],
    ['/login/wys%5F5ecret/form', '/login/wys_…'],
  ])('to %s are shown as to %s', async (location, shown) => {
    const url = await serve(async () => new Response(null, { status: 302, headers: { location } }))
    const found = await check(url)
    expect(JSON.stringify(found)).not.toContain('5ecret/')
    expect(JSON.stringify(found)).not.toContain('5ecret"')
    expect(named(found, 'No redirect to a sign-in page').came).toBe(`302 to ${new URL(url).origin}${shown}`)
  })

  test('to a sign-in page of the same origin end a session, which is no broken broker', async () => {
    const tokens = await like('sample')
    const url = await serve(async (request) => {
      if (new URL(request.url).pathname === '/login')
        return new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
      return userOf(request)
        ? fetch(tokens, { headers: { cookie: SESSION } })
        : Response.redirect(new URL('/login', request.url))
    })
    const { origin } = new URL(url)
    const came = `302 to ${origin}/login, then 200 text/html`
    expect(named(await check(url), 'Without a session: 401')).toMatchObject({ result: 'warn', came })
    const found = await check(url, { headers: new Headers() })
    expect(named(found, 'No redirect to a sign-in page')).toMatchObject({ result: 'fail', came })
  })

  test('that never end are given up', async () => {
    const seen = vi.fn(async ({ url }: Request) => Response.redirect(url))
    const url = await serve(seen)
    expect(faults(await check(url))).toEqual(['fail: No redirect to a sign-in page'])
    expect(seen).toHaveBeenCalledTimes(21)
  })

  test('need both a status of theirs and a Location', async () => {
    const headers = { location: 'https://login.example' }
    const came = async (answer: () => Response) => {
      const found = await check(await serve(async () => answer()))
      expect(named(found, 'No redirect to a sign-in page').result).toBe('ok')
      return named(found, 'It answers with a token').came
    }
    expect(await came(() => Response.json({ access_token: 'wyu_a' }, { headers }))).toBe(
      '200 application/json',
    )
    expect(await came(() => new Response(null, { status: 302 }))).toMatch(/^302 no content type: /)
    expect(await came(() => new Response(null, { status: 302, headers: { location: 'https://[' } }))).toMatch(
      /^302 no content type: /,
    )
  })
})
