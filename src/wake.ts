/** Whether the browser says that it is offline. It may lie, so this only ever explains a failure. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/**
 * What happened: the page is visible again, the browser is online, or the page goes into the back/forward cache
 * (`stored`), or came back from there.
 */
export type Wake = 'visible' | 'online' | 'stored' | 'restored'

/** Calls back on each {@link Wake}; returns its own undo. A worker has no document; without any events it does nothing. */
export function onWake(callback: (wake: Wake) => void): () => void {
  const { document } = globalThis
  if (!globalThis.addEventListener) return () => {}
  const onVisible = () => {
    if (document.visibilityState === 'visible') callback('visible')
  }
  const onPersisted = (wake: Wake) => (event: Event) => {
    if ((event as PageTransitionEvent).persisted) callback(wake)
  }
  const listeners: [target: EventTarget | undefined, type: string, listener: (event: Event) => void][] = [
    [document, 'visibilitychange', onVisible],
    [globalThis, 'online', () => callback('online')],
    // When it goes, so that it comes back without a token, whoever hears of that first.
    [globalThis, 'pagehide', onPersisted('stored')],
    [globalThis, 'pageshow', onPersisted('restored')],
  ]
  for (const [target, type, listener] of listeners) target?.addEventListener(type, listener)
  return () => {
    for (const [target, type, listener] of listeners) target?.removeEventListener(type, listener)
  }
}
