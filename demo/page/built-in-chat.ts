// <wy-messenger> stands in the HTML of this page.
import { Weavy } from '@weavy/uikit-web'

export function openChat(weavyUrl: string, tokenUrl: string) {
  return new Weavy({ url: weavyUrl, tokenUrl })
}

// Another user: await weavy.reset()
