import { digestOf } from '../../src/wire.js'

/** Until all digests that were asked for have come. They are made by other threads, for which fake time does not wait. */
export async function digested() {
  for (let n = 0; n < 20; n++) await digestOf(String(n))
}
