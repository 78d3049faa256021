import { createTokenBroker } from 'weavy-token/broker'

const [weavyUrl] = globalThis.Deno?.args ?? process.argv.slice(2)
let count = 0
const lines = []
const broker = createTokenBroker({
  weavyUrl,
  apiKey: 'wys_key',
  user: () => ({ uid: `user-${count++}` }),
  log: (line) => lines.push(line),
})
const askTen = () =>
  Promise.all(
    Array.from({ length: 10 }, async () => {
      const response = await broker.fetch(new Request('https://app.example/api/token'))
      await response.text()
      return response.status
    }),
  )
const before = await askTen()
await fetch(`${weavyUrl}/die`, { method: 'POST', headers: { connection: 'close' } }).then((response) =>
  response.text(),
)
const after = await askTen()
console.log(JSON.stringify({ before, after, lines }))
