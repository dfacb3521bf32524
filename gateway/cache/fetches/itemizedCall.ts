import type { CacheScope } from '../../execution/cachingContribution.ts';
import type { CompletedResult, FetchCall, FetchError } from '../../execution/fetchCall.ts';
import type { FetchShape } from '../../execution/fetchShape.ts';
import { type ResponseObject, setKey } from '../../execution/responseTree.ts';
import type { RootFetchPartition } from '../../execution/rootFetchPartition.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import { isObject } from '../../json/isObject.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import { type CacheKeyTarget, FetchKeys } from './cacheKey.ts';
import type { CachePlan, CachePlans } from './cachePlans.ts';
import type { FetchCacheOptions } from './fetchCache.ts';

/** What the cache stores under one key: the value for one representation of an entity fetch, or for one root field. */
export interface CacheableItem {
  readonly plan: CachePlan;
  /** The type of the entity, or the root type. */
  readonly type: string;
  /** The key for the scope of its rule. */
  readonly key: string;
  /** A second key to look up if the rule is public, but the subgraph has marked a response `private`. */
  readonly privateKey: string | undefined;
  keyOf(scope: CacheScope): string;
  /** See `ValueValidator`. */
  findInvalidIn(value: unknown): string | undefined;
  /** Tags of a value, without its custom tags. */
  tagsOf(value: unknown): SlicedTask<readonly string[]>;
}

/** The part of a fetch result that belongs to one item. */
export interface ItemResult {
  /** `undefined` if it is missing. */
  readonly value: unknown;
  /** Errors of this item alone, with paths within it. */
  readonly errors: readonly FetchError[];
}

/** A fetch call divided into its cacheable items. Indexes are those of the items in the call. */
export interface ItemizedCall {
  readonly call: FetchCall;
  /** `undefined` for an item that must not be stored. */
  readonly items: readonly (CacheableItem | undefined)[];
  /** Creates the call that fetches these items. */
  callFor(indexes: readonly number[], settle: FetchCall['settle']): FetchCall;
  /** Splits the result of such a call: one result for each index, and the errors that belong to no single item. */
  split(
    result: CompletedResult,
    indexes: readonly number[],
  ): { readonly results: readonly ItemResult[]; readonly general: readonly FetchError[] };
  /** Assembles the data of the call. The value of an item is `undefined` if it is missing. */
  assemble(values: readonly unknown[]): unknown;
  /** Converts an error of an item into an error of the call. */
  toCallError(error: FetchError, index: number): FetchError;
  /** The key of the item in `FetchResult.stale`. */
  responseKeyOf(index: number): number | string;
}

type ItemizeOptions = Pick<FetchCacheOptions, 'ignoredHeaders'>;

/** Whether items of the call may be stored and looked up, as far as their cache rules allow it. */
export function mayHaveCachedItems({ shape, isBelowRoot, requestContext }: FetchCall): boolean {
  return shape.kind === 'query' && !isBelowRoot && !requestContext.isMutation;
}

/** `undefined` if no item of the call may be stored or looked up. */
export function itemizeCall(
  call: FetchCall,
  plans: CachePlans,
  options: ItemizeOptions,
): ItemizedCall | undefined {
  if (!mayHaveCachedItems(call)) return undefined;
  return call.shape.isEntityFetch
    ? itemizeEntityFetch(call, plans, options)
    : itemizeRootFetch(call, plans, options);
}

function itemizeEntityFetch(
  call: FetchCall,
  plans: CachePlans,
  options: ItemizeOptions,
): ItemizedCall | undefined {
  const plan = storablePlanOf(call.shape, plans, call, call.representations.length);
  if (plan === undefined) return undefined;
  const keys = new FetchKeys(call, call.shape, plan, options.ignoredHeaders);
  // A copy, because the caller empties its list when the call settles, and a refresh may still be running then.
  const representations = [...call.representations];
  return {
    call,
    items: representations.map((representation) => {
      const type = typenameOf(representation);
      return new LazyKeyItem(plan, keys, call, { kind: 'entity', representation }, type, {
        tagsOf: (value) => plan.tagger.tagEntity(parseExactJson(representation) as ResponseObject, value),
        findInvalidIn: (value) => plan.validator.findInvalidInEntity(type, value),
      });
    }),
    callFor: (indexes, settle) => ({
      ...call,
      representations: indexes.map((index) => representations[index] as string),
      settle,
    }),
    split(result, indexes) {
      const entities = Array.isArray(result.data) ? result.data : [];
      const errors = Map.groupBy(result.errors, ({ entityIndex }) => entityIndex);
      const general = errors.get(undefined) ?? [];
      const sharedErrors = Array.isArray(result.data) ? [] : errorsForLostEntities(result, general);
      return {
        results: indexes.map((_, position) => ({
          value: entities[position],
          errors: errors.get(position) ?? sharedErrors,
        })),
        general,
      };
    },
    assemble: (values) => values,
    toCallError: (error, index) => ({ ...error, entityIndex: index }),
    responseKeyOf: (index) => index,
  };
}

function itemizeRootFetch(
  call: FetchCall,
  plans: CachePlans,
  options: ItemizeOptions,
): ItemizedCall | undefined {
  const partition = plans.rootPartitionOf(call.shape);
  if (partition === undefined) return undefined;
  const items = partition.items.map(({ shape, responseName }) => {
    const plan = storablePlanOf(shape, plans, call, 1);
    if (plan === undefined) return undefined;
    const keys = new FetchKeys(call, shape, plan, options.ignoredHeaders);
    const target: CacheKeyTarget = { kind: 'root', field: responseName ?? '*' };
    return new LazyKeyItem(plan, keys, call, target, plan.rootType, {
      tagsOf: (value) => plan.tagger.tagRoot(responseName === undefined ? value : { [responseName]: value }),
      findInvalidIn: (value) => plan.validator.findInvalidInRoot(responseName, value),
    });
  });
  if (items.every((item) => item === undefined)) return undefined;
  const nameAt = (index: number): string | undefined => partition.items[index]?.responseName;
  return {
    call,
    items,
    callFor: (indexes, settle) => ({ ...call, shape: partition.shapeFor(indexes), settle }),
    split: (result, indexes) => splitRoot(result, indexes.map(nameAt)),
    assemble: (values) => assembleRoot(values, partition),
    toCallError: (error) => error,
    responseKeyOf: (index) => nameAt(index) ?? index,
  };
}

function splitRoot(
  result: CompletedResult,
  names: readonly (string | undefined)[],
): ReturnType<ItemizedCall['split']> {
  // The data is one item, and all errors belong to it.
  if (names.length === 1 && names[0] === undefined)
    return {
      results: [{ value: readItemValue(result.data, undefined), errors: result.errors }],
      general: [],
    };
  const data: ResponseObject = isObject(result.data) ? result.data : {};
  const errors = Map.groupBy(result.errors, ({ path: [name] }) =>
    names.find((known) => known !== undefined && known === name),
  );
  const general = errors.get(undefined) ?? [];
  return {
    results: names.map((name) => ({
      value: readItemValue(data, name),
      errors: errors.get(name) ?? [],
    })),
    general,
  };
}

/** The errors of each entity when one error, possibly of a single entity, made the data of all entities null. */
function errorsForLostEntities(
  { errors }: CompletedResult,
  general: readonly FetchError[],
): readonly FetchError[] {
  const [first] = errors;
  return first === undefined || general.length > 0 ? [] : [{ ...first, path: [] }];
}

function readItemValue(data: unknown, name: string | undefined): unknown {
  if (name === undefined) return isObject(data) ? data : undefined;
  return isObject(data) && Object.hasOwn(data, name) ? data[name] : undefined;
}

/** The data of a root fetch. The value of an item is `undefined` if it is missing. */
export function assembleRoot(values: readonly unknown[], { items }: RootFetchPartition): unknown {
  const data: ResponseObject = {};
  let isMissing = true;
  for (const [index, value] of values.entries()) {
    if (value === undefined) continue;
    isMissing = false;
    const name = items[index]?.responseName;
    if (name === undefined) return value;
    setKey(data, name, value);
  }
  return isMissing ? null : data;
}

/** Computes its keys when they are first needed: keys are hashes, and a call may have thousands of items. */
class LazyKeyItem implements CacheableItem {
  readonly plan: CachePlan;
  readonly type: string;
  readonly tagsOf: CacheableItem['tagsOf'];
  readonly findInvalidIn: CacheableItem['findInvalidIn'];
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
    { tagsOf, findInvalidIn }: Pick<CacheableItem, 'tagsOf' | 'findInvalidIn'>,
  ) {
    this.plan = plan;
    this.type = type;
    this.tagsOf = tagsOf;
    this.findInvalidIn = findInvalidIn;
    this.#keys = keys;
    this.#target = target;
    this.#hasIdentity = requestContext.identity !== undefined;
  }

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

/** `undefined` if values of the shape must not be stored for this request: counts them for the rules that some fields have.
 *  Private values are not stored for requests without an identity. */
function storablePlanOf(
  shape: FetchShape,
  plans: CachePlans,
  { requestContext }: FetchCall,
  values: number,
): CachePlan | undefined {
  const plan = plans.planOf(shape);
  if (!plan.isCacheable) {
    plan.countNotStored?.(values);
    return undefined;
  }
  if (plan.rule.scope === 'PUBLIC' || requestContext.identity !== undefined) return plan;
  plan.usage.onNotStored('the rule is private, and the request has no identity', 'info', values);
  return undefined;
}

// `__typename` is the first field of every representation.
const typenameStart = '{"__typename":"';

export function typenameOf(representation: string): string {
  if (!representation.startsWith(typenameStart)) return '';
  return representation.slice(typenameStart.length, representation.indexOf('"', typenameStart.length));
}

/** Whether `typenameOf` returns this type. Creates no text. */
export function isOfType(representation: string, type: string): boolean {
  const end = typenameStart.length + type.length;
  return representation.startsWith(type, typenameStart.length) && representation[end] === '"';
}
