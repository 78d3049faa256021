'use client'

import { useRouter } from 'next/navigation'
import type { ReactNode } from 'react'

/** Buttons that sign in and out by a cookie, and have the page rendered for whoever that is. */
export default function Layout({ children }: { children: ReactNode }) {
  const router = useRouter()
  const signIn = (user?: string) => {
    // biome-ignore lint/suspicious/noDocumentCookie: the session of this test
    document.cookie = `user=${user}; path=/; max-age=${user ? 3600 : 0}`
    router.refresh()
  }
  return (
    <>
      {['alice', 'bob'].map((name) => (
        <button key={name} type="button" onClick={() => signIn(name)}>
          {name}
        </button>
      ))}
      <button type="button" onClick={() => signIn()}>
        nobody
      </button>
      {children}
    </>
  )
}
