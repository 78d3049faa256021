import { afterEach, expect, test } from 'vitest'

const built = new URL('../../dist/index.js', import.meta.url).href

/** What a page at another kind of address asks for, when it is given a relative tokenUrl. */
const SCRIPT = `
  import { createTokenSource } from '${built}'
  const asked = []
  const fetch = async (url) => {
    asked.push(url)
    return new Response(JSON.stringify({ access_token: 'wyu_' + asked.length }))
  }
  let failure
  try {
    const source = createTokenSource({ tokenUrl: 'api/token', fetch })
    await source.getToken()
    await source.getToken({ rejected: 'wyu_1' })
    source.close()
  } catch (error) {
    failure = String(error)
  }
  parent.postMessage({ asked, failure }, '*')
`

const PAGE = `<base href="https://evil.example/"><img name="baseURI"><script type="module">${SCRIPT}</script>`

const frames: HTMLIFrameElement[] = []
afterEach(() => {
  for (const frame of frames.splice(0)) frame.remove()
})

const outcomeOf = (change: (frame: HTMLIFrameElement) => void) =>
  new Promise<{ asked: string[]; failure?: string }>((resolve) => {
    const frame = document.createElement('iframe')
    frames.push(frame)
    addEventListener('message', function listen({ source, data }) {
      if (source !== frame.contentWindow) return
      removeEventListener('message', listen)
      resolve(data)
    })
    change(frame)
    document.body.append(frame)
  })

const { origin } = location

test('about:srcdoc, with an injected <base> and an image called baseURI: the origin of the page is asked', async () => {
  const { asked, failure } = await outcomeOf((frame) => {
    frame.srcdoc = PAGE
  })
  expect(failure).toBeUndefined()
  expect(asked[0]).toBe(`${origin}/api/token`)
  expect(asked[1]).toBe(`${origin}/api/token?refresh=true`)
})

test('blob: the origin of the page is asked', async () => {
  const { asked, failure } = await outcomeOf((frame) => {
    frame.src = URL.createObjectURL(new Blob([PAGE], { type: 'text/html' }))
  })
  expect(failure).toBeUndefined()
  expect(asked[0]).toBe(`${origin}/api/token`)
})
