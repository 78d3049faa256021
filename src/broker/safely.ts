/** Reads what somebody else has made, which may throw: a getter, a proxy that was revoked. */
export function safely<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
