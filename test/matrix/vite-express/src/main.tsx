import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Chat } from './chat'

const weavyUrl = new URLSearchParams(location.search).get('weavy') ?? ''

function App() {
  const [user, setUser] = useState<string | null>(null)
  const signIn = async (name: string | null) => {
    await fetch(name ? `/api/session/${name}` : '/api/session', { method: name ? 'POST' : 'DELETE' })
    setUser(name)
  }
  return (
    <>
      {['alice', 'bob'].map((name) => (
        <button key={name} type="button" onClick={() => void signIn(name)}>
          {name}
        </button>
      ))}
      <button type="button" onClick={() => void signIn(null)}>
        nobody
      </button>
      {user && <Chat key={user} user={user} weavyUrl={weavyUrl} />}
    </>
  )
}

createRoot(document.getElementById('app') as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
