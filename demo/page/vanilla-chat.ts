import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource } from 'weavy-token'

export function openChat(weavyUrl: string, tokenUrl: string) {
  const source = createTokenSource({ tokenUrl, user: 'alice' })
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  document.querySelector('#chat')?.append(document.createElement('wy-messenger'))
  return { source, weavy }
}

// Another user, or null for nobody: source.setUser('bob')
