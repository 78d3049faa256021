/** Reads what somebody else has made, which may throw: a getter, a proxy that was revoked. */
export function safely<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** `instanceof`, also of a proxy that was revoked, which is nothing. */
export function isA<T>(value: unknown, type: new (...args: never[]) => T): value is T {
  return safely(() => value instanceof type, false)
}
