import { Weavy } from '@weavy/uikit-web'
import { createSignal, onCleanup } from 'solid-js'
import { connectWeavy, createTokenSource } from 'weavy-token'

export function createWeavy(weavyUrl: string, user: string) {
  const source = createTokenSource({ tokenUrl: '/api/token', user })
  const [state, setState] = createSignal(source.getState())
  source.subscribe((next) => setState(next))
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  onCleanup(() => {
    weavy.destroy()
    source.close()
  })
  return { source, state }
}
