import { copyJson } from '../json/copyJson.ts';
import { isObject } from '../json/isObject.ts';
import type { SubgraphErrorEntry, SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import { type BatchableRequest, settleAll } from './batchableRequest.ts';
import {
  type FetchCall,
  type FetchError,
  type FetchResult,
  serializeVariables,
  toFailedResult,
  toFetchResult,
} from './fetchCall.ts';
import type { FusedShape } from './fetchShape.ts';
import { InvalidDataError, toFetchError } from './invalidDataError.ts';
import type { ResponseObject } from './responseTree.ts';

/** The representations of one HTTP request: one list per fetch of the fused shape, with the representations of all client
 *  requests. */
export class RepresentationBatch {
  readonly #requests: readonly BatchableRequest[];
  readonly #first: BatchableRequest;
  /** Per fetch: the representations of all requests; `undefined` for one request. */
  readonly #texts: (readonly string[])[] | undefined;
  /** Per request and fetch: indices of its representations; `undefined` for one request. */
  readonly #indices: readonly (readonly number[])[][] | undefined;

  constructor(requests: readonly BatchableRequest[]) {
    this.#requests = requests;
    this.#first = requests[0] as BatchableRequest;
    if (requests.length === 1) return;
    const merged = this.#first.calls.map(() => new Map<string, number>());
    this.#indices = requests.map((request) =>
      request.calls.map((call, n) => {
        const indices = merged[n] as Map<string, number>;
        return call.representations.map((text) => {
          const known = indices.get(text);
          if (known !== undefined) return known;
          indices.set(text, indices.size);
          return indices.size - 1;
        });
      }),
    );
    this.#texts = merged.map((indices) => [...indices.keys()]);
  }

  /** Representations. */
  get size(): number {
    return this.#texts?.reduce((sum, texts) => sum + texts.length, 0) ?? this.#first.size;
  }

  #textsOf(n: number): readonly string[] {
    return this.#texts?.[n] ?? (this.#first.calls[n] as FetchCall).representations;
  }

  body(fused: FusedShape): string {
    let text = fused.bodyPrefix;
    this.#first.calls.forEach((call, n) => {
      const name = fused.representationsNames[n];
      const others = serializeVariables(call, (variable) => fused.variableNameOf(n, variable));
      text += `${n === 0 ? '' : ','}"${name}":[${this.#textsOf(n).join(',')}]`;
      if (others !== '') text += `,${others}`;
    });
    return `${text}}}`;
  }

  settle(fused: FusedShape, response: SubgraphResponse, done: () => void): void {
    const succeed = (results: readonly FetchResult[][]): void =>
      settleAll(this.#requests, (r, n) => results[r]?.[n] as FetchResult, done);
    const fail = (fault: unknown): void => {
      const failed = toFailedResult(toFetchError(fault, fused.subgraph));
      settleAll(this.#requests, () => failed, done);
    };
    if (response.errors !== undefined) {
      runInSlices(this.#groupAndCreateResults(fused, response, response.errors), succeed, fail);
      return;
    }
    let results: readonly FetchResult[][];
    try {
      results = this.#createResults(fused, response, noErrors);
    } catch (fault) {
      fail(fault);
      return;
    }
    succeed(results);
  }

  *#groupAndCreateResults(
    fused: FusedShape,
    response: SubgraphResponse,
    errors: readonly SubgraphErrorEntry[],
  ): SlicedTask<readonly FetchResult[][]> {
    return this.#createResults(fused, response, yield* groupErrors(fused, errors));
  }

  /** Creates all results before the first one is settled, because the receiver modifies the objects. */
  #createResults(fused: FusedShape, response: SubgraphResponse, errors: GroupedErrors): FetchResult[][] {
    const data: ResponseObject = isObject(response.data) ? response.data : {};
    const taken = this.#indices === undefined ? noneTaken : new Set<unknown>();
    return this.#requests.map((request, r) =>
      request.calls.map(({ shape }, n) => {
        const entities = data[fused.aliases[n] as string];
        const expected = this.#textsOf(n).length;
        const indices = this.#indices?.[r]?.[n];
        const ofFetch = errors.ofFetches[n];
        const reported = ofFetch === undefined ? errors.ofRequest : [...errors.ofRequest, ...ofFetch];
        if (Array.isArray(entities) && entities.length === expected)
          return createEntitiesResult(response, entities, indices, reported, taken);
        return Array.isArray(entities) || reported.length === 0
          ? toFailedResult(otherEntitiesError(shape.subgraph, entities, expected))
          : createMissingResult(response, indices, reported);
      }),
    );
  }
}

function otherEntitiesError(subgraph: string, entities: unknown, expected: number): InvalidDataError {
  const found = Array.isArray(entities) ? `${entities.length} for ${expected} representations` : 'no list';
  return new InvalidDataError(
    subgraph,
    'A subgraph returned other entities than were requested.',
    `_entities: ${found}`,
  );
}

/** The result of a fetch whose errors say why it has no entities. `indices`: of its entities in the batch; `undefined` for
 *  all. */
function createMissingResult(
  response: SubgraphResponse,
  indices: readonly number[] | undefined,
  errors: readonly FetchError[],
): FetchResult {
  const own = indices === undefined ? errors : errorsOfEntities(indices, errors);
  // If only entities of other requests have errors, these errors failed this request as well.
  return toFetchResult(
    response,
    undefined,
    own.length > 0 ? own : errors.map((error) => ({ ...error, entityIndex: undefined, path: [] })),
  );
}

/** `entities` and `errors`: of the whole batch. `taken`: the entities that other requests have got. */
function createEntitiesResult(
  response: SubgraphResponse,
  entities: readonly unknown[],
  indices: readonly number[] | undefined,
  errors: readonly FetchError[],
  taken: Set<unknown>,
): FetchResult {
  if (indices === undefined) return toFetchResult(response, entities, errors);
  const requested = indices.map((index) => {
    const entity = entities[index];
    if (!isObject(entity)) return entity;
    // The first request gets the object itself and modifies it; others get a copy.
    if (!taken.has(entity)) {
      taken.add(entity);
      return entity;
    }
    return copyJson(entity);
  });
  return toFetchResult(response, requested, errorsOfEntities(indices, errors));
}

/** Returns the errors of these entities of a batch, with their indices in `entityIndices`, and errors without an entity. */
function errorsOfEntities(entityIndices: readonly number[], errors: readonly FetchError[]): FetchError[] {
  const ownIndexOf = new Map(entityIndices.map((entityIndex, index) => [entityIndex, index]));
  return errors.flatMap((error) => {
    if (error.entityIndex === undefined) return [error];
    const index = ownIndexOf.get(error.entityIndex);
    return index === undefined ? [] : [{ ...error, entityIndex: index }];
  });
}

/** One request takes all entities. Never written to. */
const noneTaken = new Set<unknown>();

const noErrors: GroupedErrors = { ofRequest: [], ofFetches: [] };

/** Long lists of errors pause after so many. */
const errorsPerSlice = 500;

interface GroupedErrors {
  readonly ofRequest: readonly FetchError[];
  readonly ofFetches: readonly (readonly FetchError[])[];
}

function* groupErrors(fused: FusedShape, entries: readonly SubgraphErrorEntry[]): SlicedTask<GroupedErrors> {
  const general: FetchError[] = [];
  const byFetch: FetchError[][] = fused.shapes.map(() => []);
  for (const [number, entry] of entries.entries()) {
    if (number % errorsPerSlice === errorsPerSlice - 1) yield;
    const [alias, index, ...path] = entry.path ?? [];
    const n = fused.aliases.indexOf(alias as string);
    if (n === -1) general.push({ entry, entityIndex: undefined, path: [] });
    else if (typeof index === 'number') byFetch[n]?.push({ entry, entityIndex: index, path });
    else byFetch[n]?.push({ entry, entityIndex: undefined, path: [] });
  }
  return { ofRequest: general, ofFetches: byFetch };
}
