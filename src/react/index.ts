'use client'

export { WeavyTokenProvider, type WeavyTokenProviderProps } from './provider.js'
export { useWeavyConnection } from './use-weavy-connection.js'
export { useWeavyToken, type WeavyToken, type WeavyTokenState } from './use-weavy-token.js'
