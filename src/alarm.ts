const LONGEST_TIMER_MS = 2 ** 31 - 1

type Run = (task: () => void) => void

/** Angular's zone.js counts a timer as work of the zone that set it; the outermost zone belongs to nobody. */
const outsideZones: Run = (task) => {
  const { Zone } = globalThis as { Zone?: { root?: { run: Run } } }
  if (Zone?.root) Zone.root.run(task)
  else task()
}

/** The one timer of a source. It never overflows: it may ring early, so look at the clock again. */
export function createAlarm(ring: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    /** Infinity: no timer. A process waits for it only with `keepsAlive`. */
    set(delayMs: number, keepsAlive: boolean) {
      clearTimeout(timer)
      if (delayMs === Infinity) return
      outsideZones(() => {
        timer = setTimeout(ring, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS))
      })
      // A number in browsers, an object in Node.
      if (!keepsAlive) (timer as { unref?: () => void }).unref?.()
    },
  }
}
