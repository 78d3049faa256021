import { createSignal, For, Show } from 'solid-js'
import { render } from 'solid-js/web'
import { Chat } from './chat'

const weavyUrl = new URLSearchParams(location.search).get('weavy') ?? ''

function App() {
  const [user, setUser] = createSignal('alice')
  return (
    <>
      <For each={['alice', 'bob']}>
        {(name) => (
          <button type="button" onClick={() => setUser(name)}>
            {name}
          </button>
        )}
      </For>
      <button type="button" onClick={() => setUser(null)}>
        nobody
      </button>
      <Show when={user()} keyed>
        {(user) => <Chat user={user} weavyUrl={weavyUrl} />}
      </Show>
    </>
  )
}

render(() => <App />, document.getElementById('app'))
