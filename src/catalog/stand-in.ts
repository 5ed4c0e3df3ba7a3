// A layout of a kernel of which nothing is known but its build: it stands at any place, for traces whose own place is told otherwise.

import type { BuildSymbols } from './build-symbols.ts'
import type { HostLayout } from './layout.ts'

const ANYWHERE = 0xffff_ffff_8100_0000n
const STEP = 0x20_0000n

/** A layout of a kernel build that lies anywhere but at `text`; and where its `_stext` is if its origin is there. */
export function standIn(
  build: BuildSymbols,
  text: bigint,
): { readonly layout: HostLayout; readonly stext: bigint | undefined } {
  const address = text === ANYWHERE ? ANYWHERE + STEP : ANYWHERE
  const name = build.origin === '_text' ? '_text' : '_stext'
  const [stext] = build.named('_stext')
  return {
    layout: {
      buildId: build.kernel,
      bootId: undefined,
      release: build.release,
      architecture: undefined,
      anchor: { name, address },
      modules: [],
      dynamic: [],
      taken: new Date(0),
      generation: 1,
    },
    stext: stext && text + stext.offset,
  }
}
