// The loops over kallsyms text and symbols, in AssemblyScript: compiled to one WebAssembly module, which runs at full speed from the
// first line, where JavaScript has to be interpreted, measured and compiled first. Each does one piece of a step: a stretch of text,
// a part of the roots, a range of addresses, a slice of ids. `build` is the address of the words that say where everything is
// (../constants.ts), `thread` the number of the thread that does it.

export { claimPages } from './claims'
export { digest } from './digest'
export { flagIds } from './flags'
export { enterNames } from './index'
export { findOrphans, keepPositions, markGone, markOrphans, mergeOrder, seekOrphans } from './keep'
export { markMoved } from './marks'
export { moveIds } from './move'
export { countRanges, sortRange, spread, sumRanges } from './order'
export { countCells } from './pages'
export { believePieces, boundPieces, cutPieces, doubtPieces, settlePieces } from './pieces'
export { listIds, placeIds } from './place'
export { recall, shareOut } from './recall'
export { enterRoots, settleRoots, slotsFor } from './roots'
export { countLines, cutOf, rescan, scan } from './scan'
export { placeModules } from './sites'
