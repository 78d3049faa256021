// <wy-messenger> stands in the HTML of this page.
import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource } from 'weavy-token'
import { acrossTabs } from 'weavy-token/tabs'

export function openChat(weavyUrl: string, tokenUrl: string) {
  const source = createTokenSource({ fetchToken: acrossTabs({ tokenUrl }), user: 'alice' })
  const weavy = new Weavy({ url: weavyUrl })
  connectWeavy(source, weavy)
  return { source, weavy }
}
