/** @jsxImportSource preact */
import { useState } from 'preact/hooks';
import type { JobView } from '../../enrichment/jobs/jobAdmin.ts';
import { type InsightsData, maxJobs } from '../insightsData.ts';
import { formatAge } from './format.ts';
import { Name, Section, Table } from './Section.tsx';

interface JobsProps {
  readonly jobs: InsightsData['jobs'];
  onRetried(): void;
}

export function Jobs({ jobs, onRetried }: JobsProps) {
  const [message, setMessage] = useState('');
  const list = Array.isArray(jobs) ? (jobs as readonly JobView[]) : [];
  const failed = list.filter(({ state }) => state === 'failed');

  const retry = async (id: string): Promise<void> => {
    setMessage(`Retrying ${id}…`);
    try {
      const response = await fetch(`jobs/${encodeURIComponent(id)}/retry`, { method: 'POST' });
      const { error } = (await response.json()) as { error?: string };
      setMessage(
        response.ok ? `Job ${id} waits for its next attempt.` : (error ?? `Status ${response.status}`),
      );
    } catch (error) {
      setMessage(`Job ${id} could not be retried: ${error instanceof Error ? error.message : String(error)}`);
    }
    onRetried();
  };

  return (
    <Section
      id="enrichments"
      title="Enrichments"
      note={
        'error' in jobs
          ? undefined
          : `Waiting or running: ${countOf(list.length - failed.length)}. Dead letters: ${countOf(failed.length)}.`
      }
    >
      {'error' in jobs && <p class="notice warning">The jobs cannot be read. {jobs.error}</p>}
      <p role="status" class="soft">
        {message}
      </p>
      {list.length === 0 ? (
        !('error' in jobs) && (
          <p class="notice">
            No enrichment is pending. A field that misses its latency budget is fetched by a job, which is
            here until it is done.
          </p>
        )
      ) : (
        <JobTable jobs={list} retry={retry} />
      )}
    </Section>
  );
}

interface JobTableProps {
  readonly jobs: readonly JobView[];
  retry(id: string): Promise<void>;
}

function JobTable({ jobs, retry }: JobTableProps) {
  return (
    <Table
      label="Enrichment jobs"
      columns={['Fields', 'State', 'Age', 'Failed attempts', 'Last error', 'Retry']}
    >
      {jobs.map(({ id, state, coordinates, attempts, error, ageMs }) => (
        <tr key={id} class={state === 'failed' ? 'failed' : ''}>
          <th scope="row">
            <Name text={coordinates.join(', ')} />
          </th>
          <td data-label="State">{state === 'failed' ? 'dead letter' : 'waiting'}</td>
          <td data-label="Age">{formatAge(ageMs)}</td>
          <td data-label="Failed attempts">{attempts}</td>
          <td class="fields" data-label="Last error">
            {error ?? '–'}
          </td>
          <td>
            {state === 'failed' && (
              <button type="button" onClick={() => void retry(id)}>
                Retry<span class="hidden"> {coordinates.join(', ')}</span>
              </button>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function countOf(shown: number): string {
  return shown < maxJobs ? `${shown}` : `${shown} or more, of which the newest are shown`;
}
