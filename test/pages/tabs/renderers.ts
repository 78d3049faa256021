import { execFileSync } from 'node:child_process'

/** Processes that run pages in any engine. */
const RENDERER = /--type=renderer|-contentproc.* tab$|WebKitWebProcess/

/** Renderers of the browsers that this test run started. */
export function renderers(): number[] {
  const processes = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s(.*)$/.exec(line)?.slice(1) ?? [])
  const ours = new Set([String(process.pid)])
  // A parent may be listed behind its child.
  for (let round = 0; round < 5; round++)
    for (const [pid, parent] of processes) if (pid && parent && ours.has(parent)) ours.add(pid)
  return processes
    .filter(([pid, , args]) => pid && ours.has(pid) && RENDERER.test(args ?? ''))
    .map(([pid]) => Number(pid))
}

/** Stops processes, as a machine that sleeps does; the result lets them go on. */
export function stop(pids: readonly number[]): () => void {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  return () => {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
}
