import { openChat } from './built-in-chat.js'
import { fetchReport } from './lane-client.js'
import { type Subject, watchPage } from './subject.js'

const { weavyUrl } = await fetchReport('built-in')
const { tokenUrl, begin } = watchPage('built-in', weavyUrl)
const weavy = openChat(weavyUrl, tokenUrl)
const subject = begin({
  weavy,
  // The UIKit has nothing that forgets a user, but this, which keeps the token.
  signIn: () => void weavy.reset(),
  renew: () => weavy.getToken(true),
})
window.parent.dispatchEvent(new CustomEvent<Subject>('subject', { detail: subject }))
