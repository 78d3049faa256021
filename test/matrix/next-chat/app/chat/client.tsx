'use client'

import dynamic from 'next/dynamic'
import { WeavyTokenProvider } from 'weavy-token/react'

const Messenger = dynamic(() => import('./messenger'), { ssr: false })

export function Chat({ userId, weavyUrl }: { userId: string | null; weavyUrl: string }) {
  return (
    <WeavyTokenProvider tokenUrl="/api/token" user={userId}>
      <Messenger weavyUrl={weavyUrl} />
    </WeavyTokenProvider>
  )
}
