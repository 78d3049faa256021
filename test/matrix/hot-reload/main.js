import { source } from './source.ts'

globalThis.made = 1
void source.getToken()
import.meta.hot.accept('./source.ts', (replaced) => {
  globalThis.made++
  void replaced.source.getToken()
})
