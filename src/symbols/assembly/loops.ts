// The loops over kallsyms text and symbols once more, in AssemblyScript: compiled to one WebAssembly module, which runs at full
// speed from the first line, where JavaScript has to be interpreted, measured and compiled first. Each does exactly what the
// plain function of the same name does, in the file of the same name above this folder (see ../loops.ts); a test holds the two
// equal. Arguments are byte addresses in the one memory.

export { countNames, enterNames, placeIds, sumCounts } from './assemble'
export { digest } from './digest'
export { flagIds } from './flags'
export { adopt, gather } from './gather'
export { ascendingUntil, countDigits, listPositions, mergeInto, scatter } from './order'
export { countCells, markCells } from './pages'
export { rehash } from './roots'
export { scan } from './scan'
