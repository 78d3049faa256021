import { StrictMode, useEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import { createRoot } from 'react-dom/client'
import { DEFAULTS, type Settings } from '../control.js'
import builtInCode from './built-in-chat.ts?raw'
import { Controls, type Perform } from './controls.js'
import { Counters } from './counters.js'
import { forgetOld } from './history.js'
import { sendOrder } from './lane-client.js'
import { LaneView, Legend } from './lane-view.js'
import { useNow, useReports } from './live.js'
import type { Subject } from './subject.js'

export interface Code {
  name: string
  code: string
}

const WINDOWS_S = [60, 300, 900]
/** How often the page asks Weavy for something, as the page of a busy user does. */
const BEAT_MS = 1000

const place = (id: string) => document.getElementById(id) as HTMLElement

export function renderInstrument(subject: Subject, code: Code) {
  createRoot(place('instrument')).render(
    <StrictMode>
      <Instrument subject={subject} code={code} />
    </StrictMode>,
  )
}

function Instrument({ subject, code }: { subject: Subject; code: Code }) {
  const [settings, setSettings] = useState<Settings>(DEFAULTS)
  const latest = useRef(settings)
  const [offline, setOffline] = useState(false)
  const [compare, setCompare] = useState(false)
  const [compared, setCompared] = useState<Subject>()
  const [windowS, setWindowS] = useState(60)
  const [problem, setProblem] = useState<string>()
  const subjects = compared ? [subject, compared] : [subject]
  const reports = useReports(subjects)
  const now = useNow()
  const isReal = reports.get(subject)?.weavy === null

  useEffect(() => {
    const beat = setInterval(() => {
      for (const one of compared ? [subject, compared] : [subject]) {
        one.ask('/api/user')
        forgetOld(one.history)
      }
    }, BEAT_MS)
    return () => clearInterval(beat)
  }, [subject, compared])

  useEffect(() => {
    const adopt = (event: Event) => {
      // They may have changed while it loaded.
      sendOrder('built-in', { settings: latest.current }).catch(() => {})
      setCompared((event as CustomEvent<Subject>).detail)
    }
    window.addEventListener('subject', adopt)
    return () => window.removeEventListener('subject', adopt)
  }, [])

  const perform: Perform = (text, order, effect) => {
    async function run() {
      setProblem(undefined)
      const before = latest.current
      const { user } = order.settings ?? {}
      latest.current = { ...before, ...order.settings }
      setSettings(latest.current)
      try {
        await Promise.all(subjects.map(({ lane }) => sendOrder(lane, order)))
      } catch (error) {
        latest.current = before
        setSettings(before)
        throw error
      }
      for (const one of subjects) {
        one.note(text)
        if (user !== undefined) one.signIn(user)
        effect?.(one)
      }
      if (user !== undefined)
        await Promise.all(subjects.map(({ lane }) => sendOrder(lane, { do: 'followed' })))
    }
    run().catch((error: Error) => setProblem(`The demo's server did not do that: ${error.message}`))
  }

  const toggleCompare = () => {
    setCompared(undefined)
    setCompare(false)
    if (compare) return
    setProblem(undefined)
    sendOrder('built-in', { do: 'begin', settings }).then(
      () => setCompare(true),
      (error: Error) => setProblem(error.message),
    )
  }

  const toggleOffline = () => {
    for (const one of subjects) one.setOffline(!offline)
    setOffline(!offline)
  }

  return (
    <>
      {createPortal(
        <>
          <div className="bar">
            <button type="button" role="switch" aria-checked={compare} onClick={toggleCompare}>
              Compare with the UIKit's built-in <code>tokenUrl</code>
            </button>
            <label>
              Show{' '}
              <select value={windowS} onChange={({ target }) => setWindowS(Number(target.value))}>
                {WINDOWS_S.map((s) => (
                  <option key={s} value={s}>
                    {s / 60} min
                  </option>
                ))}
              </select>
            </label>
          </div>
          {subjects.map((one) => (
            <LaneView
              key={one.lane}
              subject={one}
              report={reports.get(one)}
              now={now}
              windowMs={windowS * 1000}
            />
          ))}
          <Legend />
        </>,
        place('timelines'),
      )}
      {createPortal(
        compare && (
          <>
            <h2>Built-in tokenUrl</h2>
            <iframe src="/built-in" title="The same messenger with the UIKit's built-in tokenUrl" />
          </>
        ),
        place('compared'),
      )}
      {createPortal(
        <>
          <Controls
            settings={settings}
            offline={offline}
            isReal={isReal}
            perform={perform}
            toggleOffline={toggleOffline}
          />
          {problem && <p role="alert">{problem}</p>}
        </>,
        place('controls'),
      )}
      {createPortal(<Counters subjects={subjects} reports={reports} />, place('counters'))}
      {createPortal(
        <>
          <h2>What this page runs</h2>
          <CodeView {...code} />
          {compare && <CodeView name="built-in-chat.ts" code={builtInCode} />}
        </>,
        place('code'),
      )}
    </>
  )
}

const CodeView = ({ name, code }: Code) => (
  <figure>
    <figcaption>{name}</figcaption>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard */}
    <pre tabIndex={0}>{code.trim()}</pre>
  </figure>
)
