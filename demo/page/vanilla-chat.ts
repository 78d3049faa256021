// <wy-messenger> stands in the HTML of this page.
import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource } from 'weavy-token'

export function openChat(weavyUrl: string, tokenUrl: string) {
  const source = createTokenSource({ tokenUrl, user: 'alice' })
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  return { source, weavy }
}

// Another user, or null for nobody: source.setUser('bob')
