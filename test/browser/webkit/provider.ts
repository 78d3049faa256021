import { defineBrowserProvider } from '@vitest/browser'
import type { BrowserProvider } from 'vitest/node'
import { startWebKit, type WebKitSession } from './driver.js'

const refuseMocks = async () => {
  throw new Error('vi.mock() does not work in WebKitGTK.')
}

/** Vitest's browser mode in WebKitGTK. It knows how to open a page, and nothing of clicks or screenshots. */
export const webkitGtk = () =>
  defineBrowserProvider({
    name: 'webkitgtk',
    supportedBrowser: ['webkit'],
    options: {},
    providerFactory: (): BrowserProvider => {
      const pages = new Map<string, Promise<WebKitSession>>()
      return {
        name: 'webkitgtk',
        supportsParallelism: true,
        // Vitest runs those without one after all others.
        mocker: { register: refuseMocks, delete: async () => {}, clear: async () => {} },
        getCommandsContext: (sessionId) => ({ webkit: pages.get(sessionId) }),
        async openPage(sessionId, url) {
          await (await pages.get(sessionId))?.close()
          const page = startWebKit()
          pages.set(sessionId, page)
          await (await page).open(url)
        },
        async close() {
          const opened = await Promise.allSettled(pages.values())
          pages.clear()
          await Promise.all(
            opened.map((page) => (page.status === 'fulfilled' ? page.value.close() : undefined)),
          )
        },
      }
    },
  })
