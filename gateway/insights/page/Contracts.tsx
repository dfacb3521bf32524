/** @jsxImportSource preact */
import { formatCount, formatCountOf, formatTime } from './format.ts';
import { Name, Section, Table } from './Section.tsx';

/** The part of `GET /contracts` that the page shows. */
interface ContractState {
  readonly guard?: string;
  readonly store?: { readonly subgraphs: number; readonly operations: number } | null;
  readonly lastCheck?: GuardCheck | null;
  readonly refusals?: readonly unknown[];
  readonly drift?: { readonly subgraphs: readonly WatchedSubgraph[] } | null;
}

interface GuardCheck {
  readonly at: string;
  readonly outcome: string;
  /** The first ones. */
  readonly broken: readonly {
    readonly consumer: string;
    readonly operation: string;
    readonly reasons: readonly string[];
  }[];
  readonly brokenCount: number;
}

interface WatchedSubgraph {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  /** The first ones. */
  readonly breaks: readonly string[];
  readonly breaksCount: number;
}

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
      {lastCheck && lastCheck.brokenCount > 0 && <BrokenOperations check={lastCheck} />}
      {drift && drift.subgraphs.length > 0 && <DriftOfSubgraphs subgraphs={drift.subgraphs} />}
    </Section>
  );
}

function describeCheck({ at, outcome, brokenCount }: GuardCheck): string {
  const breaks =
    brokenCount === 0 ? outcome : `the supergraph breaks ${formatCountOf(brokenCount, 'operation')}`;
  return `The last check, at ${formatTime(at)}: ${breaks}.`;
}

function BrokenOperations({ check: { broken, brokenCount } }: { check: GuardCheck }) {
  return (
    <>
      {brokenCount > broken.length && (
        <p class="soft">The first {formatCount(broken.length)} are shown; GET /contracts has all of them.</p>
      )}
      <Table label="Broken operations" columns={['Operation that breaks', 'Why']}>
        {broken.map(({ consumer, operation, reasons }) => (
          <tr key={`${consumer}/${operation}`} class="failed">
            <th scope="row">
              <Name text={`${consumer}/${operation}`} />
            </th>
            <td class="fields">{reasons.join(' ')}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

/** The number of operations that are named for each subgraph. */
const maxBreaks = 10;

function DriftOfSubgraphs({ subgraphs }: { subgraphs: readonly WatchedSubgraph[] }) {
  const [drifted, others] = [true, false].map((isDrifted) =>
    subgraphs.filter(({ state }) => (state === 'drifted') === isDrifted),
  ) as [WatchedSubgraph[], WatchedSubgraph[]];
  return (
    <Table label="Drift of subgraphs" columns={['Subgraph', 'Compared with its contract', 'Since', 'Breaks']}>
      {[...drifted, ...others].map(({ name, state, since, breaks, breaksCount }) => (
        <tr key={name} class={state === 'drifted' ? 'failed' : ''}>
          <th scope="row">
            <Name text={name} />
          </th>
          <td data-label="Compared with its contract">{state}</td>
          <td data-label="Since">{formatTime(since)}</td>
          <td class="fields" data-label="Breaks">
            {breaks.length === 0 ? '–' : breaks.slice(0, maxBreaks).join(', ')}
            {breaksCount > maxBreaks && `, and ${formatCount(breaksCount - maxBreaks)} more`}
          </td>
        </tr>
      ))}
    </Table>
  );
}
