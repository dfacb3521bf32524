import type { ResponsePath } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { Staleness } from '../execution/fetchCall.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { PathIndex } from './pathIndex.ts';
import { toClientPath } from './toClientPath.ts';

/** What is told of a field whose value is older than it should be. */
interface StaleEntry extends Staleness {
  /** The client's. */
  readonly path: ResponsePath;
}

/** What an answer, or a payload, says of stale values in `extensions.tributary`. */
export interface StaleExtension {
  readonly stale: readonly StaleEntry[];
  /** How many more there are. */
  readonly staleOmitted?: number;
}

/** Data of a payload, and the place of the answer that it belongs to. */
export interface DeliveredData {
  readonly path: ResponsePath;
  readonly data: Readonly<Record<string, unknown>> | null;
}

/** Tells the client which fields have stale values, each in the first payload that has the field. Only what the
 *  client gets is told: no keys and inputs that it did not select, and nothing where a null took its place. */
export class StaleFields {
  readonly #operation: PreparedOperation;
  readonly #execution: Execution;
  readonly #deliveredGroups = new Set<number>();
  #readCount = 0;
  /** Not told so far. */
  #unreported: UnreportedField[] = [];

  constructor(operation: PreparedOperation, execution: Execution) {
    this.#operation = operation;
    this.#execution = execution;
  }

  /** What the payload that delivers some groups has to say, in the order in which the values came. Without `delivered`,
   *  it has the whole response tree, with no null but those of the tree. */
  *extensionOfGroups(
    groups: ReadonlySet<number>,
    delivered: readonly DeliveredData[] | undefined,
  ): SlicedTask<StaleExtension | undefined> {
    for (const group of groups) this.#deliveredGroups.add(group);
    yield* this.#readNew();
    if (this.#unreported.length === 0) return undefined;
    const payload = delivered === undefined ? undefined : yield* indexDelivered(delivered);
    const byPath = new Map<string, StaleEntry>();
    const open: UnreportedField[] = [];
    for (const [index, field] of this.#unreported.entries()) {
      if (index % fieldsPerSlice === fieldsPerSlice - 1) yield;
      if (!this.#deliveredGroups.has(field.group) || !this.#isDelivered(payload, field)) {
        // A part of the graph that cannot be asked for by itself comes with an earlier group than its fragment.
        open.push(field);
        continue;
      }
      // Two subgraphs may bring parts of one object: it is as old as its oldest part.
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
      const clientPath = toClientPath(supergraph.apiSchema, root, rootType, tree, path);
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
    const { places, delivered } = payload;
    const above = places.firstPrefixOf(path);
    // The payload may have no more than something within the field's object.
    if (above === undefined) return places.firstWithPrefix(path) !== undefined;
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
  readonly places: PathIndex;
}

function* indexDelivered(all: readonly DeliveredData[]): SlicedTask<Payload> {
  const places = new PathIndex();
  const delivered = all.filter(({ data }) => data !== null);
  for (const { path } of delivered) if (places.add(path) % fieldsPerSlice === 0) yield;
  return { delivered, places };
}

function extensionOf(entries: readonly StaleEntry[]): StaleExtension | undefined {
  if (entries.length === 0) return undefined;
  const omitted = entries.length - maxListedEntries;
  if (omitted <= 0) return { stale: entries };
  return { stale: entries.slice(0, maxListedEntries), staleOmitted: omitted };
}

/** `undefined` where there is nothing. */
function valueAt(root: unknown, path: ResponsePath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** A list may have thousands of stale fields, and to name each would make the answer several times as large. A page
 *  that marks what is old shows fewer; for whoever only wants to know that something is, the first says it. */
const maxListedEntries = 100;

/** Long lists pause after so many. */
const fieldsPerSlice = 100;
