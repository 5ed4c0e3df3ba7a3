// What a browser does between pages, done between views: a new one begins at its top, the one that is gone back to stands where it
// was left, and the keyboard goes on in what is shown.

import { parseRoute } from './route.ts'

/** Milliseconds for which a view that was gone back to may still grow to the place where it was left. */
const PATIENCE = 5000
/** Milliseconds of rest after which a place is kept. */
const REST = 300

/** Keeps the place of every step of the history with that step. Begun once, with the page. */
export function followTravels(): void {
  history.scrollRestoration = 'manual'
  let shown = parseRoute(location.hash)
  let wanted: number | undefined
  let until = 0
  let rest: ReturnType<typeof setTimeout> | undefined

  const settle = () => {
    if (wanted === undefined) return
    if (performance.now() > until) wanted = undefined
    else scrollTo(0, wanted)
  }
  const goBackTo = (state: unknown) => {
    wanted = placeOf(state)
    until = performance.now() + PATIENCE
    settle()
  }
  const keep = (hash: string) => {
    // A place is of the view that was shown when it was left: the next may have come since.
    if (wanted === undefined && hash === location.hash) history.replaceState({ y: scrollY }, '')
  }

  addEventListener('hashchange', ({ isTrusted }) => {
    const next = parseRoute(location.hash)
    const isOther = next.table !== shown.table || next.view !== shown.view || next.name !== shown.name
    shown = next
    // The page itself tells of steps that take the place of the last.
    if (!isTrusted) return
    if (placeOf(history.state) !== undefined) goBackTo(history.state)
    else if (isOther) {
      wanted = undefined
      scrollTo(0, 0)
    }
    if (isOther) goOn(next.view === 'search')
  })
  addEventListener(
    'scroll',
    () => {
      const { hash } = location
      clearTimeout(rest)
      rest = setTimeout(() => keep(hash), REST)
    },
    { passive: true },
  )
  addEventListener('click', () => keep(location.hash), { capture: true })
  for (const moved of ['wheel', 'touchmove', 'keydown', 'pointerdown'])
    addEventListener(moved, () => (wanted = undefined), { capture: true, passive: true })
  new ResizeObserver(settle).observe(document.body)
  goBackTo(history.state)
}

function placeOf(state: unknown): number | undefined {
  if (typeof state !== 'object' || state === null || !('y' in state)) return undefined
  return typeof state.y === 'number' ? state.y : undefined
}

/** Whoever opened a view by a key is in it now; whoever types or chooses goes on doing that. */
function goOn(isSearch: boolean): void {
  const { activeElement } = document
  const chooses = activeElement instanceof HTMLSelectElement || (isSearch && activeElement?.id === 'box')
  if (!chooses) document.getElementById('main')?.focus({ preventScroll: true })
}
