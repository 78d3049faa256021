import { Weavy } from '@weavy/uikit-web'

export function openChat(weavyUrl: string, tokenUrl: string) {
  const weavy = new Weavy({ url: weavyUrl, tokenUrl })
  document.querySelector('#chat')?.append(document.createElement('wy-messenger'))
  return weavy
}

// Another user: await weavy.reset()
