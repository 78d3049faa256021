/** A session of an app that believes its cookie, which is enough for a test. */
export async function readSession({ headers }: { headers: Headers }) {
  const userId = /(?:^|; )sid=(\w+)/.exec(headers.get('cookie') ?? '')?.[1]
  return userId ? { userId, name: 'Ada' } : null
}
