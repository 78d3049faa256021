const weavyUrl = new URLSearchParams(location.search).get('weavy')

function openChat(user) {
  const source = WeavyToken.createTokenSource({ tokenUrl: '/api/token', user })
  const weavy = new WeavyLib.Weavy({ url: weavyUrl })
  WeavyToken.connectWeavy(source, weavy)
  const messenger = document.body.appendChild(document.createElement('wy-messenger'))
  return () => {
    messenger.remove()
    weavy.destroy()
    source.close()
  }
}

let close = () => {}
for (const button of document.querySelectorAll('button'))
  button.addEventListener('click', () => {
    close()
    close = button.id ? openChat(button.id) : () => {}
  })
