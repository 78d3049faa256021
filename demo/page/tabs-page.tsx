import { StrictMode, useEffect, useState } from 'react'
import { createPortal } from 'react-dom'
import { createRoot } from 'react-dom/client'
import { forgetOld } from './history.js'
import { fetchReport, sendOrder } from './lane-client.js'
import { LaneView } from './lane-view.js'
import { useNow, useReports } from './live.js'
import { renewToken, type Subject, watchPage } from './subject.js'
import { openChat } from './tabs-chat.js'
import code from './tabs-chat.ts?raw'

const WINDOW_MS = 60_000
/** How often the page asks Weavy for something, as the page of a busy user does. */
const BEAT_MS = 1000

const place = (id: string) => document.getElementById(id) as HTMLElement

// Nothing begins afresh here: the other tabs go on.
const { weavyUrl } = await fetchReport('tabs')
const { tokenUrl, history, begin } = watchPage('tabs', weavyUrl)
const { source, weavy } = openChat(weavyUrl, tokenUrl)
const given = { asked: 0, given: 0 }
let before: { token: string | undefined; requests: number } = { token: undefined, requests: 0 }
source.subscribe((state) => {
  if (!('token' in state) || state.token === before.token) return
  const requests = history.counts.brokerRequests
  const how = requests > before.requests ? 'asked' : 'given'
  before = { token: state.token, requests }
  given[how] += 1
  history.notes.push({ at: Date.now(), text: how })
})
const subject = begin({ weavy, signIn: source.setUser, renew: () => renewToken(source) }, source)

function TabsView({ subject }: { subject: Subject }) {
  const subjects = [subject]
  const now = useNow()
  const report = useReports(subjects).get(subject)
  const [problem, setProblem] = useState<string>()

  useEffect(() => {
    const beat = setInterval(() => {
      subject.ask('/api/user')
      forgetOld(history)
    }, BEAT_MS)
    return () => clearInterval(beat)
  }, [subject])

  const revoke = () => {
    sendOrder('tabs', { do: 'revoke' }).then(
      () => subject.note('revoked'),
      (error: Error) => setProblem(error.message),
    )
  }

  return (
    <>
      <LaneView subject={subject} report={report} now={now} windowMs={WINDOW_MS} />
      <p>
        Tokens that this tab asked the broker for: <strong data-tab="asked">{given.asked}</strong>, that
        another tab gave it: <strong data-tab="given">{given.given}</strong>. Broker requests of all tabs:{' '}
        <strong data-tab="all">{report?.broker.requests ?? 0}</strong>.
      </p>
      <p>
        <button type="button" onClick={() => window.open('/tabs', '_blank', 'noopener')}>
          Open a second tab
        </button>{' '}
        {report?.weavy && (
          <button type="button" onClick={revoke}>
            Revoke all tokens
          </button>
        )}
      </p>
      {problem && <p role="alert">{problem}</p>}
      {createPortal(
        <>
          <h2>What this page runs</h2>
          <figure>
            <figcaption>tabs-chat.ts</figcaption>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard */}
            <pre tabIndex={0}>{code.trim()}</pre>
          </figure>
        </>,
        place('code'),
      )}
    </>
  )
}

createRoot(place('timelines')).render(
  <StrictMode>
    <TabsView subject={subject} />
  </StrictMode>,
)
