import { headers } from 'next/headers'
import { Suspense } from 'react'
import { readSession } from '../session'
import { Chat } from './client'

async function SignedIn() {
  const session = await readSession({ headers: await headers() })
  return <Chat userId={session?.userId ?? null} weavyUrl={process.env.WEAVY_URL as string} />
}

export default function Page() {
  return (
    <Suspense fallback={<p>Connecting…</p>}>
      <SignedIn />
    </Suspense>
  )
}
