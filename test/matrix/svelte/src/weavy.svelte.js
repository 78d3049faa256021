import { Weavy } from '@weavy/uikit-web'
import { onDestroy } from 'svelte'
import { connectWeavy, createTokenSource } from 'weavy-token'

export function useWeavy(weavyUrl, user) {
  const source = createTokenSource({ tokenUrl: '/api/token', user })
  let state = $state.raw(source.getState())
  source.subscribe((next) => {
    state = next
  })
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  onDestroy(() => {
    weavy.destroy()
    source.close()
  })
  return {
    source,
    get state() {
      return state
    },
  }
}
