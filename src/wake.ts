/** Whether the browser says that it is offline. It may lie, so this only ever explains a failure. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** Calls back when the page becomes visible or comes online; returns its own undo. Without a page it does nothing. */
export function onWake(callback: () => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis
  if (!document || !addEventListener) return () => {}
  const onVisible = () => {
    if (document.visibilityState === 'visible') callback()
  }
  document.addEventListener('visibilitychange', onVisible)
  addEventListener('online', callback)
  return () => {
    document.removeEventListener('visibilitychange', onVisible)
    removeEventListener('online', callback)
  }
}
