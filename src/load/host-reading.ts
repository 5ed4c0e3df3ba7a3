// What a catalogue and a layout need of a host: its small files, and its kallsyms text, whole or only the beginning and the lines of what
// the kernel made as it ran.

import type { Anchor } from '../catalog/image.ts'
import type { HostTold } from '../catalog/split.ts'
import { isDynamic, parseLine } from '../catalog/split.ts'
import { BadFormatError, LimitError, NoPermissionError, NotReadableError } from '../core/errors.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { snapshotSource } from '../snapshot/source.ts'
import { parseIdentities } from '../sources/facts.ts'
import { parseModuleSections } from '../sources/module-sections.ts'
import { openSource } from '../sources/open.ts'
import { type Absence, isAbsence, type Source } from '../sources/source.ts'
import { hostOf } from './host.ts'
import { refuseOwn } from './own-files.ts'
import { Pacer } from './pacer.ts'
import { readSnapshotFile } from './snapshot-load.ts'

/** The most bytes of text, as for a load. */
const MOST_TEXT = 2 ** 28
const PIECE_BYTES = 1 << 20
const NEWLINE = 0x0a

/** The source that a path names, a snapshot file among them; undefined is the running kernel. @throws as `openSource` */
export async function anySource(from: string | undefined, signal?: AbortSignal): Promise<Source> {
  if (from !== undefined && isSnapshotFile(from)) {
    const { handle } = await readSnapshotFile(from, 1, false)
    return snapshotSource(new Snapshot(handle))
  }
  if (from !== undefined) refuseOwn(from, 'a capture or a snapshot file of a host')
  return openSource(from, signal)
}

/** The facts in a host's small files, and the absences. */
export interface ReadHost {
  readonly told: HostTold
  readonly facts: HostFacts
  readonly absences: readonly Absence[]
}

/** Reads a host's small files. @throws NotReadableError if they do not tell which kernel it is */
export async function readHost(source: Source): Promise<ReadHost> {
  const names = ['modules', 'version', 'boot_id', 'notes'] as const
  const files = await Promise.all(names.map(async (name) => [name, await source.fact(name)] as const))
  const facts = hostOf(source, Object.fromEntries(files))
  const { buildId, release, modules = [] } = facts
  if (buildId === undefined) {
    if (source.kind === 'file') {
      throw new NotReadableError(
        `${source.description} is no capture, archive or snapshot file: nothing in it tells which kernel build it is of`,
      )
    }
    // What is no capture at all says so.
    source.openSymbols().close()
    throw new NotReadableError(
      `${source.description} tells no build id of its kernel (/sys/kernel/notes): nothing is known by it`,
    )
  }
  const sections = await source.fact('module_sections')
  const identities = await source.fact('module_identities')
  return {
    told: {
      kernel: buildId,
      release,
      modules,
      sections: isAbsence(sections) ? new Map() : parseModuleSections(sections),
      identities: isAbsence(identities) ? new Map() : parseIdentities(identities),
    },
    facts,
    absences: [...facts.absences, ...[sections, identities].filter(isAbsence)],
  }
}

/** The pieces of whole lines of a source's text. @throws NotReadableError, LimitError, AbortedError */
async function* linesOf(source: Source, pacer: Pacer): AsyncGenerator<Buffer, void, void> {
  const reader = source.openSymbols()
  try {
    let piece = Buffer.alloc(PIECE_BYTES)
    let filled = 0
    let total = 0
    for (;;) {
      const got = reader.read(piece.subarray(filled))
      const count = typeof got === 'number' ? got : await pacer.waitFor(got)
      if (count === 0) break
      filled += count
      total += count
      if (total > MOST_TEXT) throw new LimitError(`more than ${MOST_TEXT} bytes: no kernel has as many symbols`)
      if (pacer.due) await pacer.pause()
      if (filled < piece.length) continue
      const cut = piece.lastIndexOf(NEWLINE) + 1
      if (cut === 0) throw new LimitError(`a line of more than ${PIECE_BYTES} bytes: this is no kallsyms text`)
      const next = Buffer.alloc(PIECE_BYTES)
      piece.copy(next, 0, cut)
      yield piece.subarray(0, cut)
      filled -= cut
      piece = next
    }
    if (total === 0) {
      throw new NotReadableError('kallsyms is empty: the system hides it from this process, or it was never written')
    }
    yield piece.subarray(0, filled)
  } finally {
    reader.close()
  }
}

/** The whole text of a source. @throws NotReadableError, LimitError, AbortedError */
export async function readText(source: Source, signal?: AbortSignal): Promise<string> {
  const pieces: string[] = []
  for await (const piece of linesOf(source, new Pacer(signal))) pieces.push(piece.toString('latin1'))
  return pieces.join('')
}

/** Where a host's kernel begins, and its lines of what the kernel made as it ran: nothing else of its text is looked at. */
export interface ReadPlaces {
  readonly anchor: Anchor
  readonly dynamic: readonly string[]
}

/**
 * Reads a text to its end, as those lines are the last, but takes apart only its beginning and them.
 * @throws NoPermissionError if addresses are hidden; BadFormatError if nothing tells where the kernel begins; NotReadableError,
 * LimitError, AbortedError
 */
export async function readPlaces(source: Source, signal?: AbortSignal): Promise<ReadPlaces> {
  let anchor: Anchor | undefined
  let later: Anchor | undefined
  let hidden = true
  const dynamic: string[] = []
  for await (const piece of linesOf(source, new Pacer(signal))) {
    if (anchor === undefined) {
      for (const line of linesIn(piece, 0)) {
        const parsed = parseLine(line)
        if (parsed === undefined) continue
        if (parsed.address !== 0n) hidden = false
        if (parsed.owner !== '') break
        if (parsed.name === '_text') anchor = { name: '_text', address: parsed.address }
        if (parsed.name === '_stext') later ??= { name: '_stext', address: parsed.address }
        if (anchor !== undefined) break
      }
    }
    for (const mark of DYNAMIC_MARKS) {
      for (let at = piece.indexOf(mark); at >= 0; at = piece.indexOf(mark, at)) {
        const start = piece.lastIndexOf(NEWLINE, at) + 1
        let end = piece.indexOf(NEWLINE, at)
        if (end < 0) end = piece.length
        const line = piece.toString('latin1', start, end)
        const parsed = parseLine(line)
        if (parsed !== undefined && isDynamic(parsed.owner)) {
          if (parsed.address === 0n) hidden = true
          else dynamic.push(line)
        }
        at = end
      }
    }
  }
  const found = anchor ?? later
  if (hidden || found?.address === 0n) {
    throw new NoPermissionError(
      'every address is zero: the kernel hides them from this reader (kptr_restrict, CAP_SYSLOG)',
    )
  }
  if (found === undefined) {
    throw new BadFormatError('neither _text nor _stext is among the symbols: nothing tells where the image begins')
  }
  return { anchor: found, dynamic }
}

/** How lines of what the kernel made begin to tell their owner. */
const DYNAMIC_MARKS = ['\t[__builtin__', '\t[bpf]']

function* linesIn(text: Buffer, from: number): Generator<string, void, void> {
  for (let at = from, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf(NEWLINE, at)
    if (end < 0) end = text.length
    yield text.toString('latin1', at, end)
  }
}
