import type { EnrichedBody } from '../../test/harness/enrichedShop.ts';
import type { Received } from './clientConnection.ts';
import type { Update } from './fetchUpdates.ts';

/** What an answer said at first, and what its later payloads brought. */
export interface FirstAnswer {
  readonly data: unknown;
  readonly hasErrors: boolean;
  /** Places that were left out, and are to come. */
  readonly pending: readonly Update['path'][];
  readonly token: string | undefined;
  /** Of the same response. */
  readonly later: readonly Update[];
}

interface Payload extends EnrichedBody {
  readonly hasNext?: boolean;
  readonly incremental?: readonly {
    readonly path: Update['path'];
    readonly data: Readonly<Record<string, unknown>> | null;
    readonly errors?: readonly unknown[];
  }[];
}

/** Throws where the answer is none. `enriched`: the place that comes later where a first payload does not say which. */
export function readFirstAnswer({ status, bodies }: Received, enriched: Update['path']): FirstAnswer {
  const [first, ...rest] = bodies.map((body) => JSON.parse(body) as Payload);
  if (status !== 200 || first?.data === undefined) throw new Error(`Status ${status}: ${bodies.join('\n')}`);
  const enrichment = first.extensions?.tributary?.enrichment;
  const isStreamed = first.hasNext === true;
  return {
    data: first.data,
    hasErrors: first.errors !== undefined,
    pending: isStreamed ? [enriched] : (enrichment?.pending ?? []).map(({ path }) => path),
    token: enrichment?.token,
    later: rest.flatMap(({ incremental = [] }) =>
      incremental.flatMap(({ path, data, errors }) =>
        Object.entries(data ?? {}).map(([key, value]) => ({
          path: [...path, key],
          data: value,
          errors: errors ?? null,
        })),
      ),
    ),
  };
}
