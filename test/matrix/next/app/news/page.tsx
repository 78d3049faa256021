import { Unread } from '../unread'

export default function Page() {
  return (
    <main>
      <h1>What is new</h1>
      <Unread />
    </main>
  )
}
