import './chat-element'

const weavyUrl = new URLSearchParams(location.search).get('weavy') ?? ''
const place = document.querySelector('main') as HTMLElement

function open(user: string) {
  const chat = document.createElement('app-chat')
  Object.assign(chat.dataset, { user, weavyUrl })
  place.replaceChildren(chat)
}
for (const button of document.querySelectorAll('button'))
  button.addEventListener('click', () => (button.id ? open(button.id) : place.replaceChildren()))
