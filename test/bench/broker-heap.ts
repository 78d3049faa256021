// What the default store of the broker holds after many users, in megabytes of heap and array buffers.
import { createTokenBroker } from '../../src/broker/index.js'

let user = 0

const broker = createTokenBroker({
  weavyUrl: 'https://acme.weavy.test',
  apiKey: 'wys_key',
  user: () => ({ uid: `u-${user}-${'0'.repeat(20)}` }),
  fetch: async () =>
    Response.json({ access_token: `wyu_${String(user).padStart(40, 'x')}`, expires_in: 3600 }),
})

async function usedMb(): Promise<number> {
  // Two turns, because what the first one finalises the second one frees.
  for (let turn = 0; turn < 2; turn += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 1024 / 1024
}

const before = await usedMb()
const rows: { users: number; heapMb: number }[] = []
for (const users of [1_000, 100_000, 200_000, 300_000]) {
  for (; user < users; user += 1) {
    const response = await broker.fetch(new Request('https://app.example/api/token'))
    if (response.status !== 200) throw new Error(`Unexpected: ${response.status}`)
  }
  rows.push({ users, heapMb: Math.round(((await usedMb()) - before) * 10) / 10 })
}
process.send?.({ rows })
process.disconnect?.()
