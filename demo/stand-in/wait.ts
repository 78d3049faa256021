/** Resolves after so many milliseconds, unless there is nothing else left to run for. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
