import { renderInstrument } from './instrument.js'
import { sendOrder } from './lane-client.js'
import { renewToken, watchPage } from './subject.js'
import { openChat } from './vanilla-chat.js'
import code from './vanilla-chat.ts?raw'

const { weavyUrl } = await sendOrder('vanilla', { do: 'begin' })
const { tokenUrl, begin } = watchPage('vanilla', weavyUrl)
const { source, weavy } = openChat(weavyUrl, tokenUrl)
const subject = begin(
  {
    weavy,
    signIn: source.setUser,
    renew: () => renewToken(source),
  },
  source,
)
renderInstrument(subject, { name: 'vanilla-chat.ts', code })
