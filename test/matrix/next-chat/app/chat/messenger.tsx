'use client'

import { useWeavy, WyMessenger } from '@weavy/uikit-react'
import { useWeavyConnection, useWeavyToken } from 'weavy-token/react'

export default function Messenger({ weavyUrl }: { weavyUrl: string }) {
  useWeavyConnection(useWeavy({ url: weavyUrl }))
  const { status } = useWeavyToken()
  return status === 'signed-out' ? <p>Please sign in.</p> : <WyMessenger />
}
