/** Whether the browser says that it is offline. It may lie, so this only ever explains a failure. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/**
 * What happened: the page is visible again, the browser is online, or the page goes into the back/forward cache
 * (`stored`), or came back from there.
 */
export type Wake = 'visible' | 'online' | 'stored' | 'restored'

/** Calls back on each {@link Wake}; returns its own undo. A worker has no document; without any events it does nothing. */
export function onWake(callback: (wake: Wake) => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis
  if (!addEventListener) return () => {}
  const onVisible = () => {
    if (document.visibilityState === 'visible') callback('visible')
  }
  const onOnline = () => callback('online')
  const onPersisted = (wake: Wake) => (event: { readonly persisted?: boolean }) => {
    if (event.persisted) callback(wake)
  }
  // When it goes, so that it comes back without a token, whoever hears of that first.
  const onPageHide = onPersisted('stored')
  const onPageShow = onPersisted('restored')
  document?.addEventListener('visibilitychange', onVisible)
  addEventListener('online', onOnline)
  addEventListener('pagehide', onPageHide)
  addEventListener('pageshow', onPageShow)
  return () => {
    document?.removeEventListener('visibilitychange', onVisible)
    removeEventListener('online', onOnline)
    removeEventListener('pagehide', onPageHide)
    removeEventListener('pageshow', onPageShow)
  }
}
