import { cookies } from 'next/headers'
import { toUid } from 'weavy-token/broker'
import { broker } from '../broker'

async function signOut() {
  'use server'
  const id = (await cookies()).get('sid')?.value
  if (id) await broker.forget(toUid(id))
}

export default function Page() {
  return (
    <form action={signOut}>
      <button type="submit">Sign out</button>
    </form>
  )
}
