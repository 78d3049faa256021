'use client'

import { useWeavyToken, WeavyTokenProvider } from 'weavy-token/react'
import { fetchToken } from '../fetch-token'

function Token() {
  const { status, token, error } = useWeavyToken()
  return <output data-status={status}>{token ?? error?.code}</output>
}

export function Status() {
  return (
    <WeavyTokenProvider fetchToken={fetchToken}>
      <Token />
    </WeavyTokenProvider>
  )
}
