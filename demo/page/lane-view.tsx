import type { TokenState } from 'weavy-token'
import type { Report } from '../control.js'
import type { Subject } from './subject.js'
import { Timeline } from './timeline.js'
import { explain, retell, seconds } from './words.js'

export const nameOf = ({ lane }: Pick<Subject, 'lane'>) =>
  lane === 'built-in' ? 'Built-in tokenUrl' : 'weavy-token'

interface LaneViewProps {
  subject: Subject
  report: Report | undefined
  now: number
  windowMs: number
}

/** One page's timeline with what there is to say about it. */
export function LaneView({ subject, report, now, windowMs }: LaneViewProps) {
  const { history, getState, lane } = subject
  const { refused, failedCalls } = history.counts
  const wrongUser = report?.weavy?.wrongUser ?? 0
  const state = getState?.()
  return (
    <article className="lane" data-lane={lane}>
      <header>
        <h2>{nameOf(subject)}</h2>
        <p className={refused + wrongUser > 0 ? 'verdict bad' : 'verdict'}>
          <strong>{refused}</strong> refused {refused === 1 ? 'request' : 'requests'}
          {wrongUser > 0 && `, ${wrongUser} sent as the wrong user`}
          {failedCalls > 0 && `, ${failedCalls} failed`}
        </p>
        <State state={state} subject={subject} now={now} />
      </header>
      <Timeline
        name={nameOf(subject)}
        history={history}
        now={now}
        windowMs={windowMs}
        ahead={state !== undefined}
      />
      <details>
        <summary>The last events as text</summary>
        <ol>
          {retell(history).map(({ at, text, key }) => (
            <li key={key}>
              <time>{at}</time> {text}
            </li>
          ))}
        </ol>
      </details>
    </article>
  )
}

function State({ state, subject, now }: { state: TokenState | undefined; subject: Subject; now: number }) {
  const life = subject.history.lives.at(-1)
  const expiresAt = life && life.until === undefined ? life.expiresAt : null
  const left = expiresAt !== null && <span className="left">{seconds(expiresAt - now)}</span>
  if (!state)
    return (
      <p className="state">
        {left} <span>It does not say what it knows; time left is what its broker said.</span>
      </p>
    )
  return (
    <p className="state">
      <span className={`status ${state.status}`}>{state.status}</span> {left} <span>{explain(state)}</span>
    </p>
  )
}

const SWATCHES = [
  ['life odd', 'token in use'],
  ['life to-come', 'still to come'],
  ['life window', 'refresh window'],
  ['life dead', 'held, but expired or refused'],
  ['ok', 'answered by Weavy, per second'],
  ['refused', 'refused (401)'],
  ['forbidden', 'forbidden (403)'],
  ['failed', 'failed'],
] as const

export const Legend = () => (
  <ul className="legend" aria-label="Legend">
    {SWATCHES.map(([className, text]) => (
      <li key={className}>
        <svg width="14" height="12" aria-hidden="true">
          <rect className={className} width="13" height="11" x="0.5" y="0.5" rx="1" />
        </svg>
        {text}
      </li>
    ))}
    <li>
      <svg className="call ok" width="26" height="12" aria-hidden="true">
        <line x1="2" x2="20" y1="6" y2="6" />
        <circle cx="20" cy="6" r="4" />
      </svg>
      broker: asked, answered
    </li>
    <li>
      <svg className="call bad" width="14" height="12" aria-hidden="true">
        <path d="M3 2l8 8m0 -8l-8 8" />
      </svg>
      broker: failed
    </li>
  </ul>
)
