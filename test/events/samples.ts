// The samples that several tests read, and small ways to run a text through the library.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { TraceEvent } from '../../src/events/event.ts'
import { FrameMemo, feed } from '../../src/events/format.ts'
import { inputFormat } from '../../src/events/formats.ts'
import { type PlacedAnswer, runStream, type StreamOptions } from '../../src/events/run.ts'
import type { StretchPlan } from '../../src/events/stretch-plan.ts'
import { openKernel } from '../../src/open-kernel.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import type { RawFrame } from '../../src/stacks/frame.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/events/', import.meta.url))

/** The captures that the samples were taken against. */
export const HOST = join(fixtures, 'host-6.18')
export const DEBIAN = join(fixtures, 'debian-6.1')

/** A sample's bytes. */
export function sample(capture: string, name: string): Buffer {
  return gunzipSync(readFileSync(join(capture, 'samples', `${name}.gz`)))
}

const opened = new Map<string, Promise<Snapshot>>()

/** The symbols of a capture, loaded once a test file. */
export function snapshotOf(from: string): Promise<Snapshot> {
  let snapshot = opened.get(from)
  if (snapshot === undefined) {
    snapshot = openKernel({ from, threads: 0, types: false }).then((kernel) => kernel.snapshot())
    opened.set(from, snapshot)
  }
  return snapshot
}

/** Symbols out of a few lines of kallsyms text. */
export function snapshotOfText(kallsyms: string): Promise<Snapshot> {
  const file = join(mkdtempSync(join(tmpdir(), 'kerndex-events-')), 'kallsyms')
  writeFileSync(file, kallsyms)
  return snapshotOf(file)
}

/**
 * The events that a format finds in a text, its addresses outside of stacks by their lines, and the numbers and reasons of the
 * lines it does not understand.
 */
export function decode(
  format: string,
  text: string,
): { events: TraceEvent[]; mentions: [number, RawFrame][]; bad: [number, string][] } {
  const events: TraceEvent[] = []
  const mentions: [number, RawFrame][] = []
  const bad: [number, string][] = []
  const sink = {
    event: (event: TraceEvent) => events.push(event),
    mention: (frame: RawFrame, line: number) => mentions.push([line, frame]),
    bad: (line: number, reason: string) => bad.push([line, reason]),
  }
  const memo = new FrameMemo()
  const decoder = inputFormat(format).decoder(sink, memo)
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  lines.forEach((line, number) => {
    feed(inputFormat(format), decoder, memo, line, number)
  })
  decoder.end()
  return { events, mentions, bad }
}

/** Pieces of the given lengths, again and again. */
export async function* inPieces(bytes: Uint8Array, ...lengths: number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!
    yield bytes.subarray(at, at + length)
    at += length
  }
}

/** All of a stream's answers. */
export async function run(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  snapshot: Snapshot,
  product: StretchPlan['product'] | 'usual',
  options: Partial<StreamOptions> = {},
): Promise<PlacedAnswer[]> {
  const input = bytes instanceof Uint8Array ? inPieces(bytes, 1 << 16) : bytes
  const answers: PlacedAnswer[] = []
  for await (const answer of runStream(input, snapshot, product, { threads: 0, ...options })) answers.push(answer)
  return answers
}

/** The bytes of a stream's answers, one after another. */
export async function output(...given: Parameters<typeof run>): Promise<Buffer> {
  return Buffer.concat((await run(...given)).flatMap(({ bytes }) => bytes ?? []))
}
