import { Weavy, WyMessenger } from '@weavy/uikit-react'
import { useEffect, useState } from 'react'
import { useWeavyConnection, useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'

interface ChatProps {
  weavyUrl: string
  user: string
}

export const Chat = ({ weavyUrl, user }: ChatProps) => (
  <WeavyTokenProvider tokenUrl="/api/token" user={user}>
    <Messenger weavyUrl={weavyUrl} />
  </WeavyTokenProvider>
)

/** An instance that ends with its component; that of the UIKit's `useWeavy` lives as long as the page. */
function useOwnWeavy(url: string) {
  const [weavy, setWeavy] = useState<InstanceType<typeof Weavy>>()
  useEffect(() => {
    const own = new Weavy({ url })
    setWeavy(own)
    return () => own.destroy()
  }, [url])
  return weavy
}

function Messenger({ weavyUrl }: { weavyUrl: string }) {
  const weavy = useOwnWeavy(weavyUrl)
  useWeavyConnection(weavy)
  const { status } = useWeavyToken()
  if (status === 'signed-out') return <p>Please sign in.</p>
  // Not before the instance: an element takes the one that it finds, and that could be the last user's.
  return weavy && <WyMessenger />
}
