import { onTestFinished } from 'vitest'
import type { Page } from './pages/expose.js'

/**
 * Loads a page in a frame: what it keeps in `sessionStorage` outlives it, as in a tab. `leave()` ends it without a word,
 * as a link does.
 */
export async function openPage(version: string) {
  const frame = document.createElement('iframe')
  document.body.append(frame)
  const inside = frame.contentWindow as (Window & typeof globalThis & { page: Page }) | null
  if (!inside) throw new Error('The frame has no window.')
  const script = inside.document.createElement('script')
  script.type = 'module'
  script.src = new URL(`./pages/uikit-${version.split('.')[0]}.ts`, import.meta.url).href
  const loaded = new Promise((resolve, reject) => {
    script.onload = resolve
    script.onerror = reject
  })
  inside.document.head.append(script)
  await loaded
  const leave = () => frame.remove()
  onTestFinished(leave)
  return { ...inside.page, document: inside.document, leave }
}
