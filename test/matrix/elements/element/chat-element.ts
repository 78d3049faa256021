import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource } from 'weavy-token'

export class ChatElement extends HTMLElement {
  private end = () => {}

  connectedCallback() {
    const { user, weavyUrl = '' } = this.dataset
    if (!user) return
    const source = createTokenSource({ tokenUrl: '/api/token', user })
    source.subscribe(({ status }) => this.toggleAttribute('hidden', status === 'signed-out'))
    const weavy = new Weavy({ url: weavyUrl })
    connectWeavy(source, weavy)
    this.append(document.createElement('wy-messenger'))
    this.end = () => {
      this.replaceChildren()
      weavy.destroy()
      source.close()
    }
  }

  disconnectedCallback() {
    this.end()
  }
}
customElements.define('app-chat', ChatElement)
