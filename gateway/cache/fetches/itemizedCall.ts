import type { CacheScope } from '../../execution/cachingContribution.ts';
import type { FetchCall, FetchError, FetchResult } from '../../execution/fetchCall.ts';
import { isPlainObject, type ResponseObject, setKey } from '../../execution/responseTree.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { CacheKeyTarget } from '../cacheKey.ts';
import type { CachePlan, CachePlans } from './cachePlans.ts';
import { FetchKeys } from './fetchKeys.ts';
import type { RootFetchPartition } from './rootFetchPartition.ts';

/** What is kept by itself: the answer for one representation, or one root field. */
export interface CacheableItem {
  readonly plan: CachePlan;
  /** Of the entity, or the root type. */
  readonly type: string;
  /** Where it is found by its rule. */
  readonly key: string;
  /** Where it may be found besides, from the first answer on that was private by itself. */
  readonly privateKey: string | undefined;
  keyOf(scope: CacheScope): string;
  /** What a stored value can be invalidated by, but for its own tags. */
  tagsOf(value: unknown): SlicedTask<readonly string[]>;
}

export type AnsweredResult = Extract<FetchResult, { kind: 'answered' }>;

/** What a subgraph's answer has for one unit. */
export interface ItemAnswer {
  /** `undefined` where it is missing. */
  readonly value: unknown;
  /** Of this unit alone, paths within it. */
  readonly errors: readonly FetchError[];
}

/** A call as the units that it consists of. Places are those of the units in the call. */
export interface ItemizedCall {
  readonly call: FetchCall;
  /** `undefined` for a unit that may not be kept. */
  readonly items: readonly (CacheableItem | undefined)[];
  /** The call for some of its units. */
  callFor(places: readonly number[], settle: FetchCall['settle']): FetchCall;
  /** The parts of the answer to such a call, in the order of its places, and errors that are of none of them. */
  split(
    result: AnsweredResult,
    places: readonly number[],
  ): { readonly answers: readonly ItemAnswer[]; readonly general: readonly FetchError[] };
  /** Puts values back together; what has none is `undefined`. */
  assemble(values: readonly unknown[]): unknown;
  /** An error of the unit at a place, told as one of the call. */
  toCallError(error: FetchError, place: number): FetchError;
  /** What the answer's stale values are known by. */
  responseKeyOf(place: number): number | string;
}

/** `undefined` where nothing of the call may be kept, or found. */
export function itemizeCall(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): ItemizedCall | undefined {
  if (call.shape.kind !== 'query' || call.isBelowRoot || call.requestContext.isMutation) return undefined;
  return call.shape.isEntityFetch
    ? itemizeEntityFetch(call, plans, ignoredHeaders)
    : itemizeRootFetch(call, plans, ignoredHeaders);
}

function itemizeEntityFetch(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): ItemizedCall | undefined {
  const plan = plans.planOf(call.shape);
  if (plan === undefined || !hasRequiredIdentity(plan, call)) return undefined;
  const keys = new FetchKeys(call, plan, ignoredHeaders);
  // A copy: whoever made the call empties its list once it is settled, and a refresh goes on after that.
  const representations = [...call.representations];
  return {
    call,
    items: representations.map(
      (representation) =>
        new LazyKeyItem(
          plan,
          keys,
          call,
          { kind: 'entity', representation },
          typenameOf(representation),
          (value) => plan.tagger.tagEntity(JSON.parse(representation), value),
        ),
    ),
    callFor: (places, settle) => ({
      ...call,
      representations: places.map((place) => representations[place] as string),
      settle,
    }),
    split(result, places) {
      const entities = Array.isArray(result.data) ? result.data : [];
      const errors = new Map<number, FetchError[]>();
      const general: FetchError[] = [];
      for (const error of result.errors) {
        if (error.entityIndex === undefined) general.push(error);
        else addError(errors, error.entityIndex, error);
      }
      const ofAll = Array.isArray(result.data) ? [] : errorsForLostData(result, general, []);
      return {
        answers: places.map((_, index) => ({ value: entities[index], errors: errors.get(index) ?? ofAll })),
        general,
      };
    },
    assemble: (values) => values,
    toCallError: (error, place) => ({ ...error, entityIndex: place }),
    responseKeyOf: (place) => place,
  };
}

function itemizeRootFetch(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): ItemizedCall | undefined {
  const root = plans.rootPartitionOf(call.shape);
  if (root === undefined) return undefined;
  const units = root.items.map((unit) => {
    const plan = plans.planOf(unit.shape);
    if (plan === undefined || !hasRequiredIdentity(plan, call)) return undefined;
    const keys = new FetchKeys({ ...call, shape: unit.shape }, plan, ignoredHeaders);
    const { responseName } = unit;
    const target: CacheKeyTarget = { kind: 'root', field: responseName ?? '*' };
    return new LazyKeyItem(plan, keys, call, target, plan.rootType, (value) =>
      plan.tagger.tagRoot(responseName === undefined ? value : { [responseName]: value }),
    );
  });
  if (units.every((unit) => unit === undefined)) return undefined;
  const nameAt = (place: number): string | undefined => root.items[place]?.responseName;
  return {
    call,
    items: units,
    callFor: (places, settle) => ({ ...call, shape: root.shapeFor(places), settle }),
    split: (result, places) => splitRoot(result, places.map(nameAt)),
    assemble: (values) => assembleRoot(values, root),
    toCallError: (error) => error,
    responseKeyOf: (place) => nameAt(place) ?? place,
  };
}

function splitRoot(
  result: AnsweredResult,
  names: readonly (string | undefined)[],
): ReturnType<ItemizedCall['split']> {
  // The answer as a whole: all errors are its own.
  if (names.length === 1 && names[0] === undefined)
    return {
      answers: [{ value: readItemValue(result.data, undefined), errors: result.errors }],
      general: [],
    };
  const isLost = !isPlainObject(result.data);
  const data: ResponseObject = isPlainObject(result.data) ? result.data : {};
  const errors = new Map<unknown, FetchError[]>();
  const general: FetchError[] = [];
  for (const error of result.errors) {
    const [name] = error.path;
    if (names.includes(name as string)) addError(errors, name, error);
    else general.push(error);
  }
  return {
    answers: names.map((name) => ({
      value: readItemValue(data, name),
      errors:
        errors.get(name) ?? (isLost && name !== undefined ? errorsForLostData(result, general, [name]) : []),
    })),
    general,
  };
}

/** One error, perhaps of one unit, took the data of all along. */
function errorsForLostData(
  { errors }: AnsweredResult,
  general: readonly FetchError[],
  path: FetchError['path'],
): readonly FetchError[] {
  const [first] = errors;
  return first === undefined || general.length > 0 ? [] : [{ ...first, path }];
}

function readItemValue(data: unknown, name: string | undefined): unknown {
  if (name === undefined) return isPlainObject(data) ? data : undefined;
  return isPlainObject(data) && Object.hasOwn(data, name) ? data[name] : undefined;
}

function assembleRoot(values: readonly unknown[], { items }: RootFetchPartition): unknown {
  const data: ResponseObject = {};
  let isMissing = true;
  for (const [place, value] of values.entries()) {
    if (value === undefined) continue;
    isMissing = false;
    const name = items[place]?.responseName;
    if (name === undefined) return value;
    setKey(data, name, value);
  }
  return isMissing ? null : data;
}

class LazyKeyItem implements CacheableItem {
  readonly plan: CachePlan;
  readonly type: string;
  readonly tagsOf: CacheableItem['tagsOf'];
  readonly #keys: FetchKeys;
  readonly #target: CacheKeyTarget;
  readonly #hasIdentity: boolean;
  #key: string | undefined;
  #privateKey: string | undefined;

  constructor(
    plan: CachePlan,
    keys: FetchKeys,
    { requestContext }: FetchCall,
    target: CacheKeyTarget,
    type: string,
    tagsOf: CacheableItem['tagsOf'],
  ) {
    this.plan = plan;
    this.type = type;
    this.tagsOf = tagsOf;
    this.#keys = keys;
    this.#target = target;
    this.#hasIdentity = requestContext.identity !== undefined;
  }

  // Keys are hashes, and calls may have thousands of units: each is made when it is needed.
  get key(): string {
    this.#key ??= this.keyOf(this.plan.rule.scope);
    return this.#key;
  }

  get privateKey(): string | undefined {
    const { rule, mayBePrivate } = this.plan;
    if (rule.scope === 'PRIVATE' || !mayBePrivate || !this.#hasIdentity) return undefined;
    this.#privateKey ??= this.keyOf('PRIVATE');
    return this.#privateKey;
  }

  keyOf(scope: CacheScope): string {
    return this.#keys.keyFor(scope, this.#target);
  }
}

/** Nobody's private values are kept. */
function hasRequiredIdentity(plan: CachePlan, { requestContext }: FetchCall): boolean {
  return plan.rule.scope === 'PUBLIC' || requestContext.identity !== undefined;
}

/** Every representation begins with its type. */
function typenameOf(representation: string): string {
  const start = '{"__typename":"';
  if (!representation.startsWith(start)) return '';
  return representation.slice(start.length, representation.indexOf('"', start.length));
}

function addError<Key>(lists: Map<Key, FetchError[]>, key: Key, error: FetchError): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [error]);
  else list.push(error);
}
