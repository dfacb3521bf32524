import type { ResponsePath } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { Staleness } from '../execution/fetchCall.ts';
import { valueAt } from '../json/valueAt.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { toClientPath } from './clientPaths.ts';
import { PathIndex } from './pathIndex.ts';

/** A field whose value is stale. */
interface StaleEntry extends Staleness {
  /** In the client's names. */
  readonly path: ResponsePath;
}

/** The stale values of a response, or of a payload, in `extensions.tributary`. */
export interface StaleExtension {
  readonly stale: readonly StaleEntry[];
  /** How many more fields are stale: only the first ones are listed. */
  readonly staleOmitted?: number;
}

/** Data of a payload, and its path in the response. */
export interface DeliveredData {
  readonly path: ResponsePath;
  readonly data: Readonly<Record<string, unknown>> | null;
}

/** Reports the fields with stale values, each in the first payload that has the field. Fields that the client did not
 *  select, such as keys, and fields that a null replaced are not reported. */
export class StaleFields {
  readonly #operation: PreparedOperation;
  readonly #execution: Execution;
  readonly #deliveredGroups = new Set<number>();
  #readCount = 0;
  /** Not reported so far. */
  #unreported: UnreportedField[] = [];

  constructor(operation: PreparedOperation, execution: Execution) {
    this.#operation = operation;
    this.#execution = execution;
  }

  /** A payload without stale values has delivered these groups. */
  markDelivered(groups: ReadonlySet<number>): void {
    for (const group of groups) this.#deliveredGroups.add(group);
  }

  /** Returns the stale fields of the payload that delivers these groups, in the order in which the values arrived.
   *  `delivered`: omitted for a response that has the whole response tree, without further nulls. */
  *extensionOfGroups(
    groups: ReadonlySet<number>,
    delivered: readonly DeliveredData[] | undefined,
  ): SlicedTask<StaleExtension | undefined> {
    this.markDelivered(groups);
    yield* this.#readNew();
    if (this.#unreported.length === 0) return undefined;
    const payload = delivered === undefined ? undefined : yield* indexDelivered(delivered);
    const byPath = new Map<string, StaleEntry>();
    const open: UnreportedField[] = [];
    for (const [index, field] of this.#unreported.entries()) {
      if (index % fieldsPerSlice === fieldsPerSlice - 1) yield;
      if (!this.#deliveredGroups.has(field.group) || !this.#isDelivered(payload, field)) {
        // The planner may fetch a deferred field with an earlier group than that of its fragment.
        open.push(field);
        continue;
      }
      // Two subgraphs may return parts of one object: the object is as old as its oldest part.
      const key = field.entry.path.join('.');
      const known = byPath.get(key);
      if (known === undefined || known.ageMs < field.entry.ageMs) byPath.set(key, field.entry);
    }
    this.#unreported = open;
    return extensionOf([...byPath.values()]);
  }

  *#readNew(): SlicedTask {
    const { staleValues, tree } = this.#execution;
    const { root, rootType, supergraph } = this.#operation;
    while (this.#readCount < staleValues.length) {
      const { path, group, ageMs, reason } = staleValues[
        this.#readCount++
      ] as Execution['staleValues'][number];
      if (this.#readCount % fieldsPerSlice === 0) yield;
      const clientPath = toClientPath(supergraph.apiSchema, root, rootType, tree, path)?.path;
      if (clientPath === undefined || clientPath.length < path.length) continue;
      this.#unreported.push({
        internalPath: path,
        group,
        entry: { path: clientPath, ageMs: Math.round(ageMs), reason },
      });
    }
  }

  #isDelivered(payload: Payload | undefined, { internalPath, entry: { path } }: UnreportedField): boolean {
    const fetched = valueAt(this.#execution.tree, internalPath);
    if (fetched === undefined) return false;
    if (payload === undefined) return true;
    const { paths, delivered } = payload;
    const above = paths.firstPrefixOf(path);
    // The payload may have only fields of the field's object.
    if (above === undefined) return paths.firstWithPrefix(path) !== undefined;
    const { path: start, data } = delivered[above] as DeliveredData;
    const sent = valueAt(data, path.slice(start.length));
    return sent !== undefined && (sent !== null || fetched === null);
  }
}

interface UnreportedField {
  readonly internalPath: ResponsePath;
  readonly group: number;
  readonly entry: StaleEntry;
}

interface Payload {
  readonly delivered: readonly DeliveredData[];
  readonly paths: PathIndex;
}

function* indexDelivered(all: readonly DeliveredData[]): SlicedTask<Payload> {
  const paths = new PathIndex();
  const delivered = all.filter(({ data }) => data !== null);
  for (const { path } of delivered) if (paths.add(path) % fieldsPerSlice === 0) yield;
  return { delivered, paths };
}

function extensionOf(entries: readonly StaleEntry[]): StaleExtension | undefined {
  if (entries.length === 0) return undefined;
  const omitted = entries.length - maxListedEntries;
  if (omitted <= 0) return { stale: entries };
  return { stale: entries.slice(0, maxListedEntries), staleOmitted: omitted };
}

/** The stale values of several payloads. */
export function mergeStale(
  earlier: Partial<StaleExtension>,
  later: Partial<StaleExtension>,
): StaleExtension | undefined {
  const merged = extensionOf([...(earlier.stale ?? []), ...(later.stale ?? [])]);
  if (merged === undefined) return undefined;
  const omitted = (earlier.staleOmitted ?? 0) + (later.staleOmitted ?? 0) + (merged.staleOmitted ?? 0);
  return { stale: merged.stale, ...(omitted > 0 ? { staleOmitted: omitted } : {}) };
}

/** A list may have thousands of stale fields; listing all of them would multiply the size of the response. */
const maxListedEntries = 100;

/** Long lists pause after so many. */
const fieldsPerSlice = 100;
