/** @jsxImportSource preact */
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { InsightsData, OperationInsights } from '../insightsData.ts';
import { formatCount, formatCountOf, formatMs, formatShare, formatTime } from './format.ts';
import { Plan } from './Plan.tsx';
import { Name, Section, Table } from './Section.tsx';

/** With more operations, the list has a search. */
const searchedCount = 10;

interface OperationsProps {
  readonly data: InsightsData;
  readonly search: string;
  onSearch(search: string): void;
}

export function Operations({ data, search, onSearch }: OperationsProps) {
  const { operations } = data;
  const [selectedKey, setSelectedKey] = useState<string>();
  const selected = operations.find((operation) => keyOf(operation) === selectedKey) ?? operations[0];
  const shownKey = selected && keyOf(selected);
  // The details stay when another operation takes the first place.
  useEffect(() => setSelectedKey(shownKey), [shownKey]);
  // The search stays when it finds nothing, and until everything is there again after it was emptied.
  const hasSearch = useRef(false);
  const title = useRef<HTMLHeadingElement>(null);
  hasSearch.current ||= search !== '' || operations.length > searchedCount;
  if (selected === undefined && !hasSearch.current) {
    return (
      <Section id="operations" title="Operations">
        <p class="notice">
          No operation was executed yet. Send one to the gateway, and its plan with the time of each fetch is
          here.
        </p>
      </Section>
    );
  }
  return (
    <Section id="operations" title="Operations" note={describeList(data)}>
      {hasSearch.current && <SearchField search={search} count={data.operationCount} onSearch={onSearch} />}
      <Table
        label="Operations"
        columns={[
          'Operation',
          'Answers',
          'Errors',
          'First payload p50 / p95 / p99',
          'Completion p95',
          'Last used',
        ]}
      >
        {operations.map((operation) => (
          <OperationRow
            key={keyOf(operation)}
            operation={operation}
            isSelected={operation === selected}
            onSelect={(byKeyboard) => {
              setSelectedKey(keyOf(operation));
              // The details are behind as many buttons as there are operations.
              if (byKeyboard) requestAnimationFrame(() => title.current?.focus());
            }}
          />
        ))}
      </Table>
      {selected !== undefined && <OperationDetails key={shownKey} operation={selected} title={title} />}
    </Section>
  );
}

function describeList({ operations, operationCount, unrecordedRequests }: InsightsData): string {
  const others = operationCount - operations.length;
  return [
    'Those whose answers took the most time together come first.',
    'Counts are of the newest five to ten minutes with requests.',
    ...(others > 0 ? [`Recorded besides: ${formatCountOf(others, 'operation')}.`] : []),
    ...(unrecordedRequests > 0
      ? [`Not recorded, because of too many operations: ${formatCountOf(unrecordedRequests, 'request')}.`]
      : []),
  ].join(' ');
}

interface SearchFieldProps extends Pick<OperationsProps, 'search' | 'onSearch'> {
  /** Operations that the search finds. */
  readonly count: number;
}

function SearchField({ search, count, onSearch }: SearchFieldProps) {
  return (
    <p>
      <label>
        Find by name{' '}
        <input type="search" value={search} onInput={({ currentTarget }) => onSearch(currentTarget.value)} />
      </label>{' '}
      <span role="status" class="soft">
        {search !== '' && formatCountOf(count, 'operation')}
      </span>
    </p>
  );
}

interface OperationRowProps {
  readonly operation: OperationInsights;
  readonly isSelected: boolean;
  onSelect(byKeyboard: boolean): void;
}

function OperationRow({ operation, isSelected, onSelect }: OperationRowProps) {
  const { firstPayload, completion, count, errors } = operation;
  return (
    <tr class={isSelected ? 'selected' : ''}>
      <th scope="row">
        <button
          type="button"
          class="link"
          aria-pressed={isSelected}
          onClick={({ detail }) => onSelect(detail === 0)}
        >
          <Name text={titleOf(operation)} />
        </button>
      </th>
      <td data-label="Answers">{formatCount(count)}</td>
      <td data-label="Errors">{count === 0 ? '–' : formatShare(errors / count)}</td>
      <td data-label="First payload p50 / p95 / p99">
        {firstPayload === null
          ? '–'
          : [firstPayload.p50, firstPayload.p95, firstPayload.p99].map((ms) => formatMs(ms)).join(' / ')}
      </td>
      <td data-label="Completion p95">{formatMs(completion?.p95)}</td>
      <td data-label="Last used">{formatTime(operation.lastUsedAt)}</td>
    </tr>
  );
}

function OperationDetails({
  operation,
  title,
}: {
  operation: OperationInsights;
  title: RefObject<HTMLHeadingElement | null>;
}) {
  const { plans, text } = operation;
  return (
    <article class="details" aria-labelledby="operation-title">
      <h3 id="operation-title" ref={title} tabIndex={-1}>
        <Name text={titleOf(operation)} />
      </h3>
      {plans.map((plan, index) => (
        <Plan
          key={JSON.stringify(plan.fetches.map(({ subgraph, path }) => [subgraph, path]))}
          plan={plan}
          number={plans.length > 1 ? index + 1 : undefined}
        />
      ))}
      <details>
        <summary>The operation, without its values</summary>
        <pre>{text}</pre>
      </details>
    </article>
  );
}

function keyOf({ id, name }: OperationInsights): string {
  return `${name ?? ''} ${id}`;
}

function titleOf({ id, name, kind }: OperationInsights): string {
  return name ?? `anonymous ${kind} ${id}`;
}
