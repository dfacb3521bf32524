/** @jsxImportSource preact */
import { formatCountOf, formatTime } from './format.ts';
import { Name, Section, TableFrame } from './Section.tsx';

/** The part of `GET /contracts` that the page shows. */
interface ContractState {
  readonly guard?: string;
  readonly store?: { readonly subgraphs: number; readonly operations: number } | null;
  readonly lastCheck?: {
    readonly at: string;
    readonly outcome: string;
    readonly broken: readonly {
      readonly consumer: string;
      readonly operation: string;
      readonly reasons: readonly string[];
    }[];
  } | null;
  readonly refusals?: readonly unknown[];
  readonly drift?: {
    readonly lastCheckAt: string | null;
    readonly subgraphs: readonly {
      readonly name: string;
      readonly state: string;
      readonly since: string;
      readonly breaks: readonly string[];
    }[];
  } | null;
}

const maxBrokenRows = 100;

export function Contracts({ contracts }: { contracts: unknown }) {
  const { guard, store, lastCheck, refusals = [], drift } = contracts as ContractState;
  return (
    <Section id="contracts" title="Contracts">
      {guard === 'off' || store === null || store === undefined ? (
        <p class="notice">
          {guard === 'off' ? (
            'The contract guard is off (contracts.guard).'
          ) : (
            <>
              There are no contracts: <code>npx tributary contracts init</code> creates them.
            </>
          )}
        </p>
      ) : (
        <p>
          Guard: <strong>{guard}</strong>. Under contract: {formatCountOf(store.operations, 'operation')} of{' '}
          {formatCountOf(store.subgraphs, 'subgraph')}.{' '}
          {lastCheck ? describeCheck(lastCheck) : 'No supergraph was checked yet.'}{' '}
          {refusals.length > 0 && `Refused: ${formatCountOf(refusals.length, 'supergraph')}.`}
        </p>
      )}
      {lastCheck && lastCheck.broken.length > maxBrokenRows && (
        <p class="soft">The first {maxBrokenRows} are shown; GET /contracts has all of them.</p>
      )}
      {lastCheck && lastCheck.broken.length > 0 && (
        <TableFrame label="Broken operations">
          <table class="stacked">
            <thead>
              <tr>
                <th scope="col">Operation that breaks</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {lastCheck.broken.slice(0, maxBrokenRows).map(({ consumer, operation, reasons }) => (
                <tr key={`${consumer}/${operation}`} class="failed">
                  <th scope="row">
                    <Name text={`${consumer}/${operation}`} />
                  </th>
                  <td class="fields">{reasons.join(' ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
      {drift !== null && drift !== undefined && drift.subgraphs.length > 0 && (
        <TableFrame label="Drift of subgraphs">
          <table class="stacked">
            <thead>
              <tr>
                <th scope="col">Subgraph</th>
                <th scope="col">Compared with its contract</th>
                <th scope="col">Since</th>
                <th scope="col">Breaks</th>
              </tr>
            </thead>
            <tbody>
              {drift.subgraphs.map(({ name, state, since, breaks }) => (
                <tr key={name} class={state === 'drifted' ? 'failed' : ''}>
                  <th scope="row">
                    <Name text={name} />
                  </th>
                  <td data-label="Compared with its contract">{state}</td>
                  <td data-label="Since">{formatTime(since)}</td>
                  <td class="fields" data-label="Breaks">
                    {breaks.length === 0 ? '–' : breaks.join(', ')}
                  </td>
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
  const breaks =
    broken.length === 0 ? outcome : `the supergraph breaks ${formatCountOf(broken.length, 'operation')}`;
  return `The last check, at ${formatTime(at)}: ${breaks}.`;
}
