// Goes through a plan on the calling thread, with turns of the event loop between its pieces.

import type { Plan, Workspace } from '../symbols/workspace.ts'
import { Pacer } from './pacer.ts'

/** Carries a plan out and gives its result. @throws AbortedError, and what the plan throws */
export async function carryOn<T>(plan: Plan<T>, workspace: Workspace, signal?: AbortSignal): Promise<T> {
  const pacer = new Pacer(signal)
  pacer.check()
  for (;;) {
    const step = plan.next()
    if (step.done === true) return step.value
    const work = step.value
    if (work !== undefined) {
      for (let piece = work.from; piece < work.to; piece++) {
        workspace.run(work.step, piece)
        if (pacer.due) await pacer.pause()
      }
    } else if (pacer.due) await pacer.pause()
  }
}
