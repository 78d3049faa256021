/** Whether the browser says that it is offline. It may lie, so this only ever explains a failure. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** What happened: the page is visible again, the browser is online, or the page came back from the back/forward cache. */
export type Wake = 'visible' | 'online' | 'restored'

/** Calls back on each {@link Wake}; returns its own undo. A worker has no document; without any events it does nothing. */
export function onWake(callback: (wake: Wake) => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis
  if (!addEventListener) return () => {}
  const onVisible = () => {
    if (document.visibilityState === 'visible') callback('visible')
  }
  const onOnline = () => callback('online')
  const onPageShow = (event: { readonly persisted?: boolean }) => {
    if (event.persisted) callback('restored')
  }
  document?.addEventListener('visibilitychange', onVisible)
  addEventListener('online', onOnline)
  // Captured, so that the page's own listeners for it find a source that knows.
  addEventListener('pageshow', onPageShow, true)
  return () => {
    document?.removeEventListener('visibilitychange', onVisible)
    removeEventListener('online', onOnline)
    removeEventListener('pageshow', onPageShow, true)
  }
}
