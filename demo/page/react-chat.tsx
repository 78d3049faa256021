import { useWeavy, WyMessenger } from '@weavy/uikit-react'
import type { ReactNode } from 'react'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'

interface ChatProps {
  weavyUrl: string
  tokenUrl: string
  user: string | null
  children?: ReactNode
}

export const Chat = ({ weavyUrl, tokenUrl, user, children }: ChatProps) => (
  <WeavyTokenProvider tokenUrl={tokenUrl} user={user}>
    <Messenger weavyUrl={weavyUrl} />
    {children}
  </WeavyTokenProvider>
)

function Messenger({ weavyUrl }: { weavyUrl: string }) {
  useWeavyConnection(useWeavy({ url: weavyUrl }))
  const { status } = useWeavyToken()
  return status === 'signed-out' ? <p>Nobody is signed in.</p> : <WyMessenger />
}
