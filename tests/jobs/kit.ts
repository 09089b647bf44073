/** Jobs on a stage: the runner with its tasks, on the database and the clock of the stage. */
import type { Task } from '../../src/jobs/queue.ts'
import { type Jobs, makeJobs } from '../../src/jobs/runner.ts'
import type { Process, Stage } from '../games/kit.ts'

/** A runner for one process of a stage. The caller stops it before it closes the stage. */
export function jobsOf(
  stage: Pick<Stage, 'db' | 'reports'>,
  process: Pick<Process, 'app' | 'directory'>,
  tasks: readonly Task[],
): Jobs {
  const report = (where: string, error: unknown) => void stage.reports.push([where, error])
  return makeJobs({ url: stage.db.url, app: process.app, directory: process.directory, tasks, report })
}
