/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the first 8. */
const primes: number[] = []
for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
/** What is whole of the root is above these bits. */
const fraction = (root: number) => (root * 2 ** 32) | 0
const ROUNDS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
let encoder: TextEncoder | undefined

/** Message, a one bit, zeros, and the length in bits: whole blocks of 64 bytes. */
function padded(message: Uint8Array): DataView {
  const view = new DataView(new ArrayBuffer(Math.ceil((message.length + 9) / 64) * 64))
  new Uint8Array(view.buffer).set(message)
  view.setUint8(message.length, 0x80)
  // What is digested here, a uid or a token, is far below 512 MB.
  view.setUint32(view.byteLength - 4, message.length * 8)
  return view
}

const words = new Int32Array(64)

function compress(state: Int32Array, view: DataView, offset: number) {
  for (let i = 0; i < 16; i += 1) words[i] = view.getInt32(offset + i * 4)
  for (let i = 16; i < 64; i += 1) {
    const x = words[i - 15] as number
    const y = words[i - 2] as number
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    words[i] = ((words[i - 16] as number) + s0 + (words[i - 7] as number) + s1) | 0
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  let f = state[5] as number
  let g = state[6] as number
  let h = state[7] as number
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUNDS[i] as number) + (words[i] as number)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  state[0] = (state[0] as number) + a
  state[1] = (state[1] as number) + b
  state[2] = (state[2] as number) + c
  state[3] = (state[3] as number) + d
  state[4] = (state[4] as number) + e
  state[5] = (state[5] as number) + f
  state[6] = (state[6] as number) + g
  state[7] = (state[7] as number) + h
}

/**
 * The first 22 characters of the base64url SHA-256: the same as `digestOf` of wire.ts, but at once. Every request needs one,
 * and the slot of a flight is taken before any await; `crypto.subtle` answers later, and `node:crypto` is not everywhere.
 *
 * @see https://csrc.nist.gov/pubs/fips/180-4/upd1/final
 */
export function digest(text: string): string {
  encoder ??= new TextEncoder()
  const view = padded(encoder.encode(text))
  const state = START.slice()
  for (let offset = 0; offset < view.byteLength; offset += 64) compress(state, view, offset)
  let characters = ''
  for (let bit = 0; bit < 22 * 6; bit += 6) {
    const word = state[bit >> 5] as number
    const shift = 26 - (bit & 31)
    const next = state[(bit >> 5) + 1] as number
    characters += ALPHABET[(shift >= 0 ? word >>> shift : (word << -shift) | (next >>> (32 + shift))) & 63]
  }
  return characters
}
