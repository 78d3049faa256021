import { useWeavy } from '@weavy/uikit-react'
import { StrictMode, useEffect } from 'react'
import { flushSync } from 'react-dom'
import { createRoot } from 'react-dom/client'
import type { TokenSource } from 'weavy-token'
import { useWeavyToken } from 'weavy-token/react'
import type { User } from '../control.js'
import { renderInstrument } from './instrument.js'
import { sendOrder } from './lane-client.js'
import { Chat } from './react-chat.js'
import code from './react-chat.tsx?raw'
import { renewToken, watchPage } from './subject.js'

type Weavy = NonNullable<ReturnType<typeof useWeavy>>

const { weavyUrl } = await sendOrder('react', { do: 'begin' })
const { tokenUrl, begin } = watchPage('react', weavyUrl)
const root = createRoot(document.querySelector('#chat') as Element)
let begun = false

function show(user: User) {
  root.render(
    <StrictMode>
      <Chat weavyUrl={weavyUrl} tokenUrl={tokenUrl} user={user}>
        <Probe />
      </Chat>
    </StrictMode>,
  )
}

/** Hands what the chat uses to the instrument. */
function Probe() {
  const weavy = useWeavy({ url: weavyUrl })
  const { source } = useWeavyToken()
  useEffect(() => {
    if (weavy && !begun) watch(weavy, source)
  }, [weavy, source])
  return null
}

function watch(weavy: Weavy, source: TokenSource) {
  begun = true
  const subject = begin(
    {
      weavy,
      // What follows is to be asked as the new user.
      signIn: (user) => flushSync(() => show(user)),
      renew: () => renewToken(source),
    },
    source,
  )
  renderInstrument(subject, { name: 'react-chat.tsx', code })
}

show('alice')
