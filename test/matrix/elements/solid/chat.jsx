import { Show } from 'solid-js'
import { createWeavy } from './create-weavy'

export function Chat(props) {
  const { state } = createWeavy(props.weavyUrl, props.user)
  return (
    <Show when={state().status !== 'signed-out'} fallback={<p>Please sign in.</p>}>
      <wy-messenger />
    </Show>
  )
}
