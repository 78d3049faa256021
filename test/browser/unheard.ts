/**
 * Rejections that the UIKit leaves to nobody, and that say nothing about us: a test ends while an instance connects its
 * hub or waits for an answer; the editor, which the UIKit loads late, is asked from the world of the page's first
 * instance, which is gone.
 */
const UNHEARD: { message: RegExp; stack?: RegExp }[] = [
  { message: /^Instance destroyed$/, stack: /connect.*uikit/ },
  // UIKit 25 subscribes anew when its hub is back, and waits for no answer.
  { message: /^Invocation canceled due to the underlying connection being closed\.$/, stack: /uikit/ },
  { message: /^The token source was closed\.$/ },
  { message: /dynamically imported module: .*\/uikit-web\/.*editor/ },
  {
    message: /^(Failed to fetch|Load failed|NetworkError when attempting to fetch resource\.)$/,
    stack: /uikit/,
  },
  // WebKit does not say which.
  { message: /^Importing a module script failed\.$/ },
]

export const isUnheard = (error: { message: string; stack?: string }) =>
  UNHEARD.some(
    ({ message, stack }) => message.test(error.message) && (!stack || stack.test(error.stack ?? '')),
  )
