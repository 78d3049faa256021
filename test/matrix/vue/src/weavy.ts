import { Weavy } from '@weavy/uikit-web'
import { onScopeDispose, shallowRef } from 'vue'
import { connectWeavy, createTokenSource } from 'weavy-token'

export function useWeavy(weavyUrl: string, user: string) {
  const source = createTokenSource({ tokenUrl: '/api/token', user })
  const state = shallowRef(source.getState())
  source.subscribe((next) => {
    state.value = next
  })
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  onScopeDispose(() => {
    weavy.destroy()
    source.close()
  })
  return { source, state }
}
