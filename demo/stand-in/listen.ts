import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer, type HttpBindings, type WebSocketServerLike } from '@hono/node-server'
import type { WebSocketServer } from 'ws'

export interface ListenOptions {
  /** 0 takes a free one. */
  port?: number
  webSocketServer?: WebSocketServer
  /** How many requests one connection carries before it is closed. 0 is no bound. */
  requestsPerConnection?: number
}

export interface Listening {
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves a fetch handler on the loopback interface.
 * @throws when the port is taken, with Node's own `EADDRINUSE`.
 */
export async function listen(
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>,
  { port = 0, webSocketServer, requestsPerConnection = 0 }: ListenOptions = {},
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: (request, env) => fetch(request, env as HttpBindings),
    // The tests beside it in one process have Node's own.
    overrideGlobalObjects: false,
    ...(webSocketServer && { websocket: { server: webSocketServer as WebSocketServerLike } }),
  }) as Server
  server.maxRequestsPerSocket = requestsPerConnection
  // Node's own list leaves out connections that became WebSockets.
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
