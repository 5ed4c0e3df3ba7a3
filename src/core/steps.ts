// Work that goes step by step, so that whoever does it may give others their turn between two steps.

/** Does all steps without a pause. */
export function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
