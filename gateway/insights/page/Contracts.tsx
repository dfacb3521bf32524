/** @jsxImportSource preact */
import { formatTime } from './format.ts';
import { Section, TableFrame } from './Section.tsx';

/** The part of `GET /contracts` that the page shows. */
interface ContractState {
  readonly guard?: string;
  readonly store?: { readonly subgraphs: number; readonly operations: number } | null;
  readonly lastCheck?: {
    readonly at: string;
    readonly outcome: string;
    readonly broken: readonly unknown[];
  } | null;
  readonly refusals?: readonly unknown[];
  readonly drift?: {
    readonly lastCheckAt: string | null;
    readonly subgraphs: readonly { readonly name: string; readonly state: string; readonly since: string }[];
  } | null;
}

export function Contracts({ contracts }: { contracts: unknown }) {
  const { guard, store, lastCheck, refusals = [], drift } = contracts as ContractState;
  return (
    <Section id="contracts" title="Contracts">
      {guard === 'off' || store === null || store === undefined ? (
        <p class="notice">
          {guard === 'off'
            ? 'The contract guard is off (contracts.guard).'
            : 'There are no contracts: tributary contracts init creates them.'}
        </p>
      ) : (
        <p>
          Guard: <strong>{guard}</strong>. {store.operations} operations of {store.subgraphs} subgraphs are
          under contract. {lastCheck ? describeCheck(lastCheck) : 'No supergraph was checked yet.'}{' '}
          {refusals.length > 0 && `${refusals.length} supergraphs were refused.`}
        </p>
      )}
      {drift !== null && drift !== undefined && drift.subgraphs.length > 0 && (
        <TableFrame label="Drift of subgraphs">
          <table>
            <thead>
              <tr>
                <th scope="col">Subgraph</th>
                <th scope="col">Compared with its contract</th>
                <th scope="col">Since</th>
              </tr>
            </thead>
            <tbody>
              {drift.subgraphs.map(({ name, state, since }) => (
                <tr key={name} class={state === 'drifted' ? 'failed' : ''}>
                  <th scope="row">{name}</th>
                  <td>{state}</td>
                  <td>{formatTime(since)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
    </Section>
  );
}

function describeCheck({ at, outcome, broken }: NonNullable<ContractState['lastCheck']>): string {
  const breaks = broken.length === 0 ? 'no operation breaks' : `${broken.length} operations break`;
  return `The last check, at ${formatTime(at)}: ${outcome}, ${breaks}.`;
}
