// A symbol: what and where it is, what lies beside it, and of a function its prototype, its arguments, how to probe it and why not.

import { printable } from '../core/printable.ts'
import type { NeighbourAnswer, PlanAnswer, SymbolAnswer } from '../serve/answers.ts'
import { tablePath, useAsked } from './api.ts'
import { routeTo, type ViewProps } from './route.ts'
import { bytes, Copyable, counted, Declaration, hex, Name, SymbolLink, symbolHref, WaitingView } from './words.tsx'

export function SymbolView({ route, table, version }: ViewProps) {
  const { owner, address } = route.query
  const { answer, error } = useAsked<SymbolAnswer>(
    tablePath(table, 'symbol', { name: route.name, owner, address }),
    version,
  )
  if (answer === undefined)
    return <WaitingView table={table} title={route.name || (address ?? 'Symbol')} name={route.name} error={error} />
  const end = BigInt(answer.address) + BigInt(Math.max(answer.size, 16))
  const around = {
    start: `0x${(BigInt(answer.address) - 2048n).toString(16)}`,
    end: `0x${(end + 2048n).toString(16)}`,
  }
  return (
    <article>
      <header class="head">
        <h1>
          <Name of={answer.name} />
          {answer.offset > 0 && <span class="quiet">+{hex(answer.offset)}</span>}
        </h1>
        <p class="facts">
          {answer.isText ? 'function' : `data (${answer.type})`} · {printable(answer.owner)} ·{' '}
          {counted(answer.size, 'byte')} ·{' '}
          <a href={routeTo(table, 'map', '', around)}>
            <code>{answer.address}</code>
          </a>
        </p>
        {answer.prototype !== null && (
          <p class="prototype">
            <Declaration table={table} text={answer.prototype} refs={answer.refs} />
          </p>
        )}
      </header>
      {answer.aliases.length > 0 && (
        <section>
          <h2>Also called</h2>
          <ul class="names">
            {answer.aliases.map((name) => (
              <li key={name}>
                <Name of={name} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {answer.plans.length > 0 && <Probing plans={answer.plans} />}
      {answer.isText && answer.plans.length === 0 && (
        <p class="quiet">No specification can have this name: it cannot be probed by name.</p>
      )}
      <div class="columns">
        <section>
          <h2>In memory</h2>
          <Neighbours table={table} rows={[...answer.before].reverse()} />
          <p class="self">
            <span class="address">{answer.address}</span> <Name of={answer.name} />
          </p>
          <Neighbours table={table} rows={answer.after} />
        </section>
        {answer.clones.length > 0 && (
          <section>
            <h2>Variants of the compiler's</h2>
            <Neighbours table={table} rows={answer.clones} />
          </section>
        )}
        {answer.others.length > 0 && (
          <section>
            <h2>Others of this name</h2>
            <ul class="neighbours">
              {answer.others.map((other) => (
                <li key={other.address}>
                  <a href={symbolHref(table, answer.name, other.owner, other.address)}>
                    <span class="address">{other.address}</span>
                  </a>{' '}
                  {other.type} [{printable(other.owner)}]
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </article>
  )
}

function Neighbours({ table, rows }: { readonly table: string; readonly rows: readonly NeighbourAnswer[] }) {
  return (
    <ul class="neighbours">
      {rows.map(({ address, name, owner, size }) => (
        <li key={`${address} ${name}`}>
          <span class="address">{address}</span>{' '}
          <SymbolLink table={table} name={name} owner={owner} address={address} />{' '}
          <span class="quiet">
            {bytes(size)}
            {owner !== 'vmlinux' && ` [${printable(owner)}]`}
          </span>
        </li>
      ))}
    </ul>
  )
}

const VERDICTS: Readonly<Record<PlanAnswer['verdict'], string>> = {
  ok: '✓ can be probed',
  no: '✗ cannot be probed',
  unknown: '? not known',
}

function Probing({ plans }: { readonly plans: readonly PlanAnswer[] }) {
  const [first] = plans
  const args = first?.args ?? []
  const returns = plans.find((plan) => plan.returns !== null)?.returns
  return (
    <section>
      <h2>Arguments</h2>
      {args.length === 0 ? (
        <p class="quiet">{first?.returns === null ? 'No types describe this function.' : 'It takes none.'}</p>
      ) : (
        <table class="rows">
          <caption class="unseen">arguments</caption>
          <thead>
            <tr>
              <th scope="col">where</th>
              <th scope="col">argument</th>
              <th scope="col">trusted</th>
            </tr>
          </thead>
          <tbody>
            {args.map(({ name, type, location, trusted }, i) => (
              <tr key={`${name} ${i}`}>
                <td>
                  <code>{location ?? '—'}</code>
                </td>
                <td>
                  <code>
                    {printable(type)} <b>{printable(name)}</b>
                  </code>
                </td>
                <td>{trusted}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {returns !== undefined && returns !== null && (
        <p>
          returns <code>{printable(returns.type)}</code>
          {returns.location !== null && (
            <>
              {' '}
              in <code>{returns.location}</code>
            </>
          )}
        </p>
      )}
      <h2>Probes</h2>
      <div class="plans">
        {plans.map((plan) => (
          <Plan key={plan.kind} plan={plan} />
        ))}
      </div>
    </section>
  )
}

function Plan({ plan }: { readonly plan: PlanAnswer }) {
  const { kind, verdict, reasons, warnings, probeAddress, method, bpftrace, kprobeEvents } = plan
  return (
    <section class={`plan v-${verdict}`} aria-label={kind}>
      <h3>
        {kind} <span class="verdict">{VERDICTS[verdict]}</span>
      </h3>
      {reasons.map(({ code, message, by }) => (
        <p key={code}>
          {printable(message)}{' '}
          <span class="quiet">
            {code}, says {by === 'kernel' ? 'the kernel' : by}
          </span>
        </p>
      ))}
      {warnings.map(({ code, message }) => (
        <p key={code} class="quiet">
          {printable(message)}
        </p>
      ))}
      {method !== null && (
        <p class="quiet">
          by {method}
          {probeAddress !== null && `, at ${probeAddress}`}
        </p>
      )}
      {bpftrace !== null && <Copyable text={bpftrace} label={`the ${kind} for bpftrace`} />}
      {kprobeEvents !== null && <Copyable text={kprobeEvents} label={`the line for ${kind} in kprobe_events`} />}
    </section>
  )
}
