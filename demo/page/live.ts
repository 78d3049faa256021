import { useEffect, useRef, useState } from 'react'
import type { Report } from '../control.js'
import { fetchReport } from './lane-client.js'
import type { Subject } from './subject.js'

const calm = window.matchMedia('(prefers-reduced-motion: reduce)')

/** The time, a few times a second; once a second for those who want no motion. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), calm.matches ? 1000 : 200)
    return () => clearInterval(tick)
  }, [])
  return now
}

/** What the servers counted, asked for twice a second. A server that is gone leaves the last answer. */
export function useReports(subjects: readonly Subject[]): ReadonlyMap<Subject, Report> {
  const [reports, setReports] = useState<ReadonlyMap<Subject, Report>>(new Map())
  const latest = useRef(subjects)
  useEffect(() => {
    latest.current = subjects
  })
  useEffect(() => {
    async function ask() {
      const asked = latest.current
      const answers = await Promise.all(asked.map(({ lane }) => fetchReport(lane)))
      setReports(new Map(asked.map((subject, n) => [subject, answers[n] as Report])))
    }
    const poll = setInterval(() => void ask().catch(() => {}), 500)
    void ask().catch(() => {})
    return () => clearInterval(poll)
  }, [])
  return reports
}
