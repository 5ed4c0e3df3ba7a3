// Flavours of a type's name, by which libbpf lets a program hold several local variants of one type of the kernel.

/** A name without its flavour: what follows `___` tells local variants of a type apart. */
export function essentialName(name: string): string {
  for (let i = name.length - 5; i >= 0; i--) {
    if (name[i] !== '_' && name.startsWith('___', i + 1) && name[i + 4] !== '_') return name.slice(0, i + 1)
  }
  return name
}
