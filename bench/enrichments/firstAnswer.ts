import type { EnrichedBody } from '../../test/harness/enrichedShop.ts';
import type { Received } from '../clientConnection.ts';
import type { Update } from './fetchUpdates.ts';

/** The content of a first response and of its later payloads. */
export interface FirstAnswer {
  readonly data: unknown;
  readonly hasErrors: boolean;
  /** The paths that are pending. */
  readonly pending: readonly Update['path'][];
  readonly token: string | undefined;
  /** The later payloads of the same response. */
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

/** `enriched`: the pending path if the first payload does not name it. @throws {Error} for an invalid response. */
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
