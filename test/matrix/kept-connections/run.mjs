// Connections that were kept die in the moment they are used again, as they do when a proxy restarts: every
// request is answered all the same, in each runtime's own fetch.
import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'

const run = promisify(execFile)

async function startWeavy() {
  const used = new Set()
  let isDying = false
  let died = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url === '/die') {
        isDying = true
        return response.end('{}')
      }
      if (isDying && used.has(request.socket)) {
        // All at once, as a proxy does that restarts.
        for (const socket of used) {
          if (!socket.destroyed) died += 1
          socket.destroy()
        }
        return undefined
      }
      used.add(request.socket)
      response.setHeader('Content-Type', 'application/json')
      return response.end(JSON.stringify({ access_token: 'wyu_1', expires_in: 3600 }))
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, server, died: () => died }
}

const runtimes = {
  Node: (url) => [process.execPath, ['program.mjs', url]],
  Bun: (url) => ['node_modules/.bin/bun', ['program.mjs', url]],
  Deno: (url) => ['node_modules/.bin/deno', ['run', '-A', 'program.mjs', url]],
}
for (const [name, commandOf] of Object.entries(runtimes)) {
  const { url, server, died } = await startWeavy()
  try {
    const { stdout } = await run(...commandOf(url))
    const { before, after, lines } = JSON.parse(stdout.trim().split('\n').at(-1))
    assert.deepEqual(before, Array(10).fill(200), name)
    assert.deepEqual(after, Array(10).fill(200), `${name}: ${lines}`)
    assert.ok(died() > 0, `${name}: no kept connection was used again, so nothing was tried`)
    assert.deepEqual(lines, [], name)
    console.log(`${name}: ${died()} connections died, 10 of 10 requests answered`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
