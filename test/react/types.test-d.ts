import { useWeavy } from '@weavy/uikit-react'
import type { Weavy as Weavy32 } from '@weavy/uikit-web'
import type { ComponentProps } from 'react'
import type { Weavy as Weavy25 } from 'uikit-web-25'
import type { Weavy as Weavy27 } from 'uikit-web-27'
import type { Weavy as Weavy31 } from 'uikit-web-31'
import { assertType, expectTypeOf } from 'vitest'
import { connectWeavy, type TokenError, type TokenSource } from 'weavy-token'
import {
  useWeavyConnection,
  useWeavyToken,
  type WeavyToken,
  type WeavyTokenProvider,
} from 'weavy-token/react'

// The status narrows the rest, on the object and after destructuring.
export function Narrows() {
  const weavyToken = useWeavyToken()
  if (weavyToken.status === 'ready') {
    expectTypeOf(weavyToken.token).toEqualTypeOf<string>()
    expectTypeOf(weavyToken.error).toEqualTypeOf<undefined>()
  }
  const { status, token, error, expiresAt } = weavyToken
  switch (status) {
    case 'empty':
    case 'fetching':
      expectTypeOf([token, error, expiresAt]).toEqualTypeOf<undefined[]>()
      break
    case 'ready':
      expectTypeOf(token).toEqualTypeOf<string>()
      expectTypeOf(error).toEqualTypeOf<undefined>()
      expectTypeOf(expiresAt).toEqualTypeOf<number | null>()
      break
    case 'stale':
      expectTypeOf(token).toEqualTypeOf<string>()
      expectTypeOf(error).toEqualTypeOf<TokenError>()
      break
    case 'failed':
    case 'signed-out':
      expectTypeOf(token).toEqualTypeOf<undefined>()
      expectTypeOf(error).toEqualTypeOf<TokenError>()
      break
    default:
      expectTypeOf(status).toBeNever()
  }
  // A token alone tells that there is one.
  if (token !== undefined) expectTypeOf(status).toEqualTypeOf<'ready' | 'stale'>()
  expectTypeOf(weavyToken.getToken).toEqualTypeOf<TokenSource['getToken']>()
}

// So does an early return: each status is a member of its own.
export function NarrowsByReturn() {
  const { status, token, error, expiresAt } = useWeavyToken()
  if (status === 'empty' || status === 'fetching') return
  if (status === 'failed' || status === 'signed-out') {
    expectTypeOf(error).toEqualTypeOf<TokenError>()
    return
  }
  expectTypeOf(token).toEqualTypeOf<string>()
  expectTypeOf(expiresAt).toEqualTypeOf<number | null>()
  if (status === 'ready') return
  expectTypeOf(error).toEqualTypeOf<TokenError>()
}

// Every status of the source is a status of the hook.
expectTypeOf<WeavyToken['status']>().toEqualTypeOf<ReturnType<TokenSource['getState']>['status']>()

type Props = ComponentProps<typeof WeavyTokenProvider>
declare const source: TokenSource

assertType<Props>({ tokenUrl: '/api/token', user: null, refreshAheadMs: 1000, children: 'app' })
assertType<Props>({ tokenUrl: new URL('https://app.example'), user: undefined })
assertType<Props>({ fetchToken: async () => ({ access_token: 'wyu_1' }) })
assertType<Props>({
  tokenUrl: null,
  sub: 'name',
  onRequest: ({ reason }) => reason,
  onRefused: ({ from }) => from,
})
assertType<Props>({ source })
// @ts-expect-error the type says why: "belongs to createTokenSource when a source is given; …"
assertType<Props>({ source, user: 'alice' })
// @ts-expect-error a source comes instead of the options of one
assertType<Props>({ source, tokenUrl: '/api/token' })
// @ts-expect-error no such option
assertType<Props>({ tokenUrl: '/api/token', retries: 3 })

export function Connects() {
  useWeavyConnection(undefined)
  useWeavyConnection(null)
  // @ts-expect-error not an instance
  useWeavyConnection('weavy')
}

// The UIKit's own types connect without a cast.
type Instances = [
  InstanceType<typeof Weavy25>,
  InstanceType<typeof Weavy27>,
  InstanceType<typeof Weavy31>,
  InstanceType<typeof Weavy32>,
]
expectTypeOf<Instances[number]['getToken']>().toEqualTypeOf<(refresh?: boolean) => Promise<string>>()

export function ConnectsEach(instances: Instances) {
  const [v25, v27, v31, v32] = instances
  expectTypeOf(v25).not.toBeAny()
  expectTypeOf(v27).not.toBeAny()
  expectTypeOf(v31).not.toBeAny()
  expectTypeOf(v32).not.toBeAny()
  connectWeavy(source, v25)
  connectWeavy(source, v27)
  connectWeavy(source, v31)
  connectWeavy(source, v32)
  const own = useWeavy({ url: 'https://your-environment.weavy.io' })
  expectTypeOf(own).not.toBeAny()
  useWeavyConnection(own)
}
