/** Aborts with either. Nothing stays on a signal that lives long; a browser without `any` follows the shorter one. */
export const joinSignals = (long: AbortSignal, short: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any?.(short ? [long, short] : [long]) ?? short ?? long
