// The page's requests to its server. All paths are relative: token and prefix are in the page's own address.

import { useLayoutEffect, useState } from 'preact/hooks'

/** An answer, or why there is none. The one before stays until the new one comes: nothing jumps. */
export interface Asked<T> {
  readonly answer: T | undefined
  readonly error: string | undefined
  readonly loading: boolean
}

/** @throws Error with the server's words */
export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init)
  if (!response.ok) throw new Error(await reasonOf(response))
  return (await response.json()) as T // Server and page are built from the same description.
}

/** Text, cut where it would be too much to show. @throws Error with the server's words */
export async function askText(
  path: string,
  most: number,
  signal: AbortSignal,
): Promise<{ text: string; cut: boolean }> {
  const response = await fetch(path, { signal })
  if (!response.ok || response.body === null) throw new Error(await reasonOf(response))
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { text: text + decoder.decode(), cut: false }
    text += decoder.decode(value, { stream: true })
    if (text.length <= most) continue
    await reader.cancel()
    return { text: text.slice(0, most), cut: true }
  }
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: unknown } // Its errors are objects with words.
    if (typeof error === 'string') return error
  } catch {
    // The answer is not from this server.
  }
  return `the server answered ${response.status}`
}

/** Asks when the path changes, and again when `version` does; an empty path asks nothing. */
export function useAsked<T>(path: string, version: unknown = 0): Asked<T> {
  const [state, setState] = useState<Asked<T> & { path: string }>({
    path: '',
    answer: undefined,
    error: undefined,
    loading: path !== '',
  })
  // The version says when to ask again. Nothing is painted first: what is asked for is on its way meanwhile.
  useLayoutEffect(() => {
    if (path === '') return
    const control = new AbortController()
    setState((before) => ({ ...before, loading: true }))
    ask<T>(path, { signal: control.signal }).then(
      (answer) => setState({ path, answer, error: undefined, loading: false }),
      (error: unknown) => {
        if (control.signal.aborted) return
        const words = error instanceof Error ? error.message : String(error)
        setState({ path, answer: undefined, error: words, loading: false })
      },
    )
    return () => control.abort()
  }, [path, version])
  return state
}

/** The path of a view's question. */
export function tablePath(
  table: string,
  view: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const words = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== '') words.set(key, String(value))
  return `v1/k/${encodeURIComponent(table)}/${view}?${words}`
}
