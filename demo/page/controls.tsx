import { type ReactNode, useState } from 'react'
import { type FaultName, LIFETIMES_S, type Order, type Settings, USERS, type User } from '../control.js'
import type { Subject } from './subject.js'

/** Sends an order to the server of each page, then notes it on its timeline and has the page do its part. */
export type Perform = (text: string, order: Order, effect?: (subject: Subject) => void) => void

interface ControlsProps {
  settings: Settings
  offline: boolean
  /** Whether this is a real environment, which the demo has no power over. */
  isReal: boolean
  perform: Perform
  toggleOffline(): void
}

const FAULT_NAMES: [FaultName | null, string, string][] = [
  [null, 'fine', 'The broker answers at once.'],
  [
    'slow',
    'slow (3 s)',
    'A refresh takes 3 s. With lives of 1 min and more it begins early enough that no request waits for it.',
  ],
  [
    'down',
    'down',
    'It answers 503 with Retry-After: 2. The token is used while it lasts; the broker is asked on a schedule, not by each caller.',
  ],
  [
    'garbage',
    'garbage',
    'It answers with JSON that ends in the middle. The token is used while it lasts, then callers get a bad_response at once.',
  ],
  [
    'same-token',
    'same token',
    'It answers with the old token, whatever it is asked for. Revoke all tokens to see what follows: a few attempts, never a loop.',
  ],
  [
    'signed-out',
    'signed out',
    'It answers 401: the session of the app is over. The token is used while it lasts, and nobody asks again and again.',
  ],
]

const BURST = 50
const REAL = 'real-reason'

/** Everything that can happen to a token. */
export function Controls({ settings, offline, isReal, perform, toggleOffline }: ControlsProps) {
  const [expectation, setExpectation] = useState('Pick something. What to expect will be said here.')
  const press = (text: string, expected: string, order: Order, effect?: (subject: Subject) => void) => {
    setExpectation(expected)
    perform(text, order, effect)
  }
  const impossible = isReal ? { disabled: true, 'aria-describedby': REAL } : {}

  return (
    <>
      <h2>Make its life hard</h2>
      <p className="expectation" aria-live="polite">
        {expectation}
      </p>
      <div className="groups">
        <Choice
          legend="Token lifetime"
          options={LIFETIMES_S.map((s) => [s, s < 60 ? `${s} s` : s < 3600 ? `${s / 60} min` : '1 h'])}
          value={settings.lifetimeSeconds}
          choose={(lifetimeSeconds, label) =>
            press(
              `life ${label}`,
              `From now on tokens live for ${label}. The page replaces the one it has within seconds.`,
              { settings: { lifetimeSeconds } },
              (subject) => subject.renew(),
            )
          }
        />
        <Choice
          legend="Broker"
          options={FAULT_NAMES.map(([fault, label]) => [fault, label])}
          value={settings.fault}
          choose={(fault, label) =>
            press(
              fault === null ? 'broker fine' : label,
              FAULT_NAMES.find(([name]) => name === fault)?.[2] ?? '',
              { settings: { fault } },
            )
          }
        />
        <Choice
          legend="Signed in"
          options={[...USERS, null].map((user) => [user, user ?? 'nobody'])}
          value={settings.user}
          choose={(user: User, label) =>
            press(
              label,
              user === null
                ? 'Nobody is signed in: no request goes out.'
                : `Not one request may go out as somebody else than ${label}.`,
              { settings: { user } },
            )
          }
        />
        <fieldset>
          <legend>Weavy</legend>
          <button
            type="button"
            {...impossible}
            onClick={() =>
              press(
                'revoked',
                'All tokens are dead. The first refusal brings one refresh, whatever else is in the air.',
                { do: 'revoke' },
              )
            }
          >
            Revoke all tokens
          </button>
          <button
            type="button"
            {...impossible}
            onClick={() =>
              press('hub dropped', 'The hub is cut off. It comes back with a living token, without a 401.', {
                do: 'drop-hub',
              })
            }
          >
            Drop the hub
          </button>
          <button
            type="button"
            {...impossible}
            aria-pressed={settings.forbidden}
            onClick={() =>
              press(
                settings.forbidden ? 'allowed' : 'forbidden',
                settings.forbidden
                  ? 'Notifications can be read again.'
                  : 'Notifications answer 403. The UIKit takes each for a dead token; five calls in a row cost a bounded number of refreshes.',
                { settings: { forbidden: !settings.forbidden } },
                (subject) => subject.ask('/api/notifications', 5),
              )
            }
          >
            Forbid notifications (403)
          </button>
        </fieldset>
        <fieldset>
          <legend>Page</legend>
          <button
            type="button"
            onClick={() =>
              press(
                `burst of ${BURST}`,
                `${BURST} requests at once, none of which asks the broker.`,
                {},
                (subject) => subject.ask('/api/user', BURST),
              )
            }
          >
            Burst of {BURST} requests
          </button>
          <button
            type="button"
            aria-pressed={offline}
            onClick={() => {
              setExpectation(
                offline
                  ? 'Back: a token that ran out meanwhile is replaced at once.'
                  : 'No request leaves the page. Nobody asks the broker over and over.',
              )
              toggleOffline()
            }}
          >
            Go offline
          </button>
        </fieldset>
      </div>
      {isReal && (
        <p id={REAL} className="reason">
          This is a real environment: the demo cannot revoke its tokens, cut its hub or forbid anything there.
          Start it without WEAVY_URL and WEAVY_APIKEY to try that.
        </p>
      )}
    </>
  )
}

interface ChoiceProps<T> {
  legend: string
  options: [value: T, label: ReactNode & string][]
  value: T
  choose(value: T, label: string): void
}

function Choice<T>({ legend, options, value, choose }: ChoiceProps<T>) {
  return (
    <fieldset className="choice">
      <legend>{legend}</legend>
      {options.map(([option, label]) => (
        <label key={label}>
          <input
            type="radio"
            name={legend}
            checked={option === value}
            onChange={() => choose(option, label)}
          />
          {label}
        </label>
      ))}
    </fieldset>
  )
}
