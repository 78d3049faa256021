import { randomUUID } from 'node:crypto'
import type { WSContext, WSEvents } from 'hono/ws'
import type { WebSocket } from 'ws'

/** Ends every message of SignalR's JSON protocol. */
const RECORD_SEPARATOR = '\u001e'
/** SignalR's client gives a connection up after 30 s of silence. */
const PING_EVERY_MS = 10_000

interface Connection {
  uid: string
  socket: WSContext<WebSocket>
  subscriptions: Set<string>
}

export interface Hub {
  /** The answer to a negotiate request. */
  negotiate(): object
  /** What a socket of this user does from its opening on. */
  accept(uid: string): WSEvents<WebSocket>
  /** Sends an event to those of these users who subscribed to it. */
  publish(uids: readonly string[], name: string, event: object): void
  /** Cuts every connection without a closing handshake. */
  drop(): number
  /** Whose connections are open, one entry for each. */
  uids(): string[]
  close(): void
}

/**
 * The real-time hub: SignalR's JSON protocol over WebSocket, as far as the UIKit speaks it.
 *
 * A connection outlives the token it was opened with, as Weavy's own does.
 * @see https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
 */
export function createHub(): Hub {
  const connections = new Set<Connection>()
  const send = (socket: WSContext<WebSocket>, message: object) =>
    socket.send(JSON.stringify(message) + RECORD_SEPARATOR)

  const ping = setInterval(() => {
    for (const { socket } of connections) send(socket, { type: 6 })
  }, PING_EVERY_MS)
  ping.unref()

  function receive({ socket, subscriptions }: Connection, text: string) {
    const message = JSON.parse(text) as {
      protocol?: string
      type?: number
      target?: string
      invocationId?: string
      arguments?: unknown[]
    }
    if (message.protocol) return send(socket, {})
    if (message.type !== 1) return
    const name = String(message.arguments?.[0])
    if (message.target === 'Subscribe') subscriptions.add(name)
    if (message.target === 'Unsubscribe') subscriptions.delete(name)
    if (message.invocationId) send(socket, { type: 3, invocationId: message.invocationId, result: true })
  }

  function drop() {
    const dropped = [...connections]
    connections.clear()
    for (const { socket } of dropped) socket.raw?.terminate()
    return dropped.length
  }

  return {
    negotiate: () => ({
      negotiateVersion: 1,
      connectionId: randomUUID(),
      connectionToken: randomUUID(),
      availableTransports: [{ transport: 'WebSockets', transferFormats: ['Text', 'Binary'] }],
    }),
    accept(uid) {
      let connection: Connection | undefined
      return {
        onOpen(_event, socket) {
          connection = { uid, socket, subscriptions: new Set() }
          connections.add(connection)
        },
        onMessage({ data }) {
          for (const text of String(data).split(RECORD_SEPARATOR))
            if (text && connection) receive(connection, text)
        },
        onClose() {
          if (connection) connections.delete(connection)
        },
      }
    },
    publish(uids, name, event) {
      for (const { uid, socket, subscriptions } of connections)
        if (uids.includes(uid) && subscriptions.has(name))
          send(socket, { type: 1, target: name, arguments: [event] })
    },
    drop,
    uids: () => [...connections].map(({ uid }) => uid),
    close() {
      clearInterval(ping)
      drop()
    },
  }
}
