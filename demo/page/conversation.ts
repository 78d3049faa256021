import { APP_TYPES } from '../stand-in/content.js'

interface Messenger extends HTMLElement {
  conversationId?: number | null
  user?: { id: number }
}

const TYPES = [APP_TYPES.private_chat, APP_TYPES.chat_room].map((type) => `type=${type}`).join('&')
const PATIENCE_MS = 10_000

const findMessenger = () => document.querySelector<Messenger>('wy-messenger')

/** Has the messenger show messages rather than a list: those of the user's first conversation, if there is one. */
export async function openConversation(weavy: { fetch(url: string): Promise<Response> }): Promise<void> {
  const user = await (await weavy.fetch('/api/user')).json()
  const { data } = await (await weavy.fetch(`/api/apps?${TYPES}`)).json()
  const givenUpAt = Date.now() + PATIENCE_MS
  // Before it has met its user it would take the conversation for everybody's, and show it to the next user too.
  while (findMessenger()?.user?.id !== user.id && Date.now() < givenUpAt)
    await new Promise((resolve) => setTimeout(resolve, 100))
  const messenger = findMessenger()
  if (messenger && messenger.user?.id === user.id && data?.[0]) messenger.conversationId = data[0].id
}

/** Another user may not see it. */
export function closeConversation() {
  const messenger = findMessenger()
  if (messenger) messenger.conversationId = null
}
