/** A stream is gone once it was sent. Node takes async iterables too. */
export const isStream = (body: unknown): boolean =>
  'getReader' in Object(body) || Symbol.asyncIterator in Object(body)

/** A copy of what can be changed. Strings and Blobs cannot, and streams can be sent only once anyway. */
export function copyBody(body: BodyInit): BodyInit {
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice()
  switch (Object.prototype.toString.call(body)) {
    case '[object ArrayBuffer]':
      return (body as ArrayBuffer).slice(0)
    case '[object URLSearchParams]':
      return new URLSearchParams(String(body))
    case '[object FormData]': {
      const copy = new FormData()
      for (const [name, value] of body as FormData) copy.append(name, value)
      return copy
    }
    default:
      return body
  }
}
