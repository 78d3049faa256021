import type { Report } from '../control.js'
import { nameOf } from './lane-view.js'
import type { Subject } from './subject.js'

interface CountersProps {
  subjects: readonly Subject[]
  reports: ReadonlyMap<Subject, Report>
}

interface Count {
  id: string
  name: string
  /** What the page saw, and what the servers counted; undefined where one of them cannot know. */
  of(subject: Subject, report: Report | undefined): [page: number | undefined, server: number | undefined]
  unit?: string
}

const COUNTS: Count[] = [
  {
    id: 'tokens',
    name: 'Tokens',
    of: ({ history }, report) => [history.counts.tokens, report?.weavy?.tokens],
  },
  {
    id: 'broker',
    name: 'Broker requests',
    of: ({ history }, report) => [history.counts.brokerRequests, report?.broker.requests],
  },
  {
    id: 'refreshes',
    name: '… for a newer token',
    of: ({ history }, report) => [history.counts.refreshes, report?.broker.refreshes],
  },
  {
    id: 'broker-failed',
    name: '… that failed',
    of: ({ history }, report) => [history.counts.brokerFailures, report?.broker.failed],
  },
  {
    id: 'requests',
    name: 'Requests to Weavy',
    of: ({ history }, report) => [history.counts.requests, report?.weavy?.requests],
  },
  {
    id: 'refused',
    name: '… refused (401)',
    of: ({ history }, report) => [history.counts.refused, report?.weavy?.refused],
  },
  {
    id: 'forbidden',
    name: '… forbidden (403)',
    of: ({ history }, report) => [history.counts.forbidden, report?.weavy?.forbidden],
  },
  {
    id: 'wrong-user',
    name: '… sent as the wrong user',
    of: (_, report) => [undefined, report?.weavy?.wrongUser],
  },
  {
    id: 'failed',
    name: 'weavy.fetch calls that failed',
    of: ({ history }) => [history.counts.failedCalls, undefined],
  },
  {
    id: 'longest',
    name: 'Longest weavy.fetch call',
    of: ({ history }) => [Math.round(history.counts.longestWaitMs), undefined],
    unit: 'ms',
  },
  { id: 'hubs', name: 'Hub connections', of: (_, report) => [undefined, report?.weavy?.hubs] },
  { id: 'hubs-opened', name: '… opened', of: (_, report) => [undefined, report?.weavy?.hubsOpened] },
]

const show = (count: number | undefined, unit: string | undefined) =>
  count === undefined ? '–' : unit ? `${count} ${unit}` : count

/** What each page saw, beside what the servers counted. */
export const Counters = ({ subjects, reports }: CountersProps) => (
  <table>
    <caption>Since the page was opened</caption>
    <thead>
      <tr>
        <td rowSpan={2} />
        {subjects.map((subject) => (
          <th key={subject.lane} colSpan={2} scope="colgroup">
            {nameOf(subject)}
          </th>
        ))}
      </tr>
      <tr>
        {subjects.map(({ lane }) => [
          <th key={`${lane} page`} scope="col">
            seen by page
          </th>,
          <th key={`${lane} server`} scope="col">
            counted by server
          </th>,
        ])}
      </tr>
    </thead>
    <tbody>
      {COUNTS.map(({ id, name, of, unit }) => (
        <tr key={id}>
          <th scope="row">{name}</th>
          {subjects.map((subject) => {
            const [page, server] = of(subject, reports.get(subject))
            const { lane } = subject
            return [
              <td key={`${lane} page`} data-count={`${lane} ${id} page`}>
                {show(page, unit)}
              </td>,
              <td key={`${lane} server`} data-count={`${lane} ${id} server`}>
                {show(server, unit)}
              </td>,
            ]
          })}
        </tr>
      ))}
    </tbody>
  </table>
)
