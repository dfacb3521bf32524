import type { CacheKeyTarget } from '../cache/cacheKey.ts';
import type { CacheScope } from '../cache/rules/cacheRule.ts';
import type { FetchCall, FetchError, FetchResult } from '../execution/fetchCall.ts';
import { isPlainObject, type ResponseObject, setKey } from '../execution/responseTree.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { CachePlan, CachePlans } from './cachePlans.ts';
import { FetchKeys } from './fetchKeys.ts';
import type { RootUnits } from './rootUnits.ts';

/** What is kept by itself: the answer for one representation, or one root field. */
export interface CacheUnit {
  readonly plan: CachePlan;
  /** Of the entity, or the root type. */
  readonly type: string;
  /** Where it is found by its rule. */
  readonly key: string;
  /** Where it may be found besides, from the first answer on that was private by itself. */
  readonly privateKey: string | undefined;
  keyOf(scope: CacheScope): string;
  /** What a stored value can be invalidated by, but for its own tags. */
  tagsOf(value: unknown): SlicedWork<readonly string[]>;
}

export type Answered = Extract<FetchResult, { kind: 'answered' }>;

/** What a subgraph's answer has for one unit. */
export interface UnitAnswer {
  /** `undefined` where it is missing. */
  readonly value: unknown;
  /** Of this unit alone, paths within it. */
  readonly errors: readonly FetchError[];
}

/** A call as the units that it consists of. Places are those of the units in the call. */
export interface CallUnits {
  readonly call: FetchCall;
  /** `undefined` for a unit that may not be kept. */
  readonly units: readonly (CacheUnit | undefined)[];
  /** The call for some of its units. */
  callFor(places: readonly number[], settle: FetchCall['settle']): FetchCall;
  /** The parts of the answer to such a call, in the order of its places, and errors that are of none of them. */
  split(
    result: Answered,
    places: readonly number[],
  ): { readonly answers: readonly UnitAnswer[]; readonly general: readonly FetchError[] };
  /** Puts values back together; what has none is `undefined`. */
  join(values: readonly unknown[]): unknown;
  /** An error of the unit at a place, told as one of the call. */
  place(error: FetchError, place: number): FetchError;
  /** What the answer's stale values are known by. */
  nameOf(place: number): number | string;
}

/** `undefined` where nothing of the call may be kept, or found. */
export function unitsOf(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): CallUnits | undefined {
  if (call.shape.kind !== 'query' || call.isBelowRoot || call.scope.isMutation) return undefined;
  return call.shape.isEntityFetch
    ? entityUnits(call, plans, ignoredHeaders)
    : rootUnits(call, plans, ignoredHeaders);
}

function entityUnits(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): CallUnits | undefined {
  const plan = plans.planOf(call.shape);
  if (plan === undefined || !isReachable(plan, call)) return undefined;
  const keys = new FetchKeys(call, plan, ignoredHeaders);
  // A copy: whoever made the call empties its list once it is settled, and a refresh goes on after that.
  const representations = [...call.representations];
  return {
    call,
    units: representations.map(
      (representation) =>
        new Unit(plan, keys, call, { kind: 'entity', representation }, typeOf(representation), (value) =>
          plan.tagger.ofEntity(JSON.parse(representation), value),
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
        if (error.entity === undefined) general.push(error);
        else push(errors, error.entity, error);
      }
      const ofAll = Array.isArray(result.data) ? [] : lostBy(result, general, []);
      return {
        answers: places.map((_, index) => ({ value: entities[index], errors: errors.get(index) ?? ofAll })),
        general,
      };
    },
    join: (values) => values,
    place: (error, place) => ({ ...error, entity: place }),
    nameOf: (place) => place,
  };
}

function rootUnits(
  call: FetchCall,
  plans: CachePlans,
  ignoredHeaders: ReadonlySet<string>,
): CallUnits | undefined {
  const root = plans.rootUnitsOf(call.shape);
  if (root === undefined) return undefined;
  const units = root.units.map((unit) => {
    const plan = plans.planOf(unit.shape);
    if (plan === undefined || !isReachable(plan, call)) return undefined;
    const keys = new FetchKeys({ ...call, shape: unit.shape }, plan, ignoredHeaders);
    const { responseName } = unit;
    const target: CacheKeyTarget = { kind: 'root', field: responseName ?? '*' };
    return new Unit(plan, keys, call, target, plan.rootType, (value) =>
      plan.tagger.ofRoot(responseName === undefined ? value : { [responseName]: value }),
    );
  });
  if (units.every((unit) => unit === undefined)) return undefined;
  const nameAt = (place: number): string | undefined => root.units[place]?.responseName;
  return {
    call,
    units,
    callFor: (places, settle) => ({ ...call, shape: root.shapeFor(places), settle }),
    split: (result, places) => splitRoot(result, places.map(nameAt)),
    join: (values) => joinRoot(values, root),
    place: (error) => error,
    nameOf: (place) => nameAt(place) ?? place,
  };
}

function splitRoot(result: Answered, names: readonly (string | undefined)[]): ReturnType<CallUnits['split']> {
  // The answer as a whole: all errors are its own.
  if (names.length === 1 && names[0] === undefined)
    return { answers: [{ value: wholeOr(result.data, undefined), errors: result.errors }], general: [] };
  const isLost = !isPlainObject(result.data);
  const data: ResponseObject = isPlainObject(result.data) ? result.data : {};
  const errors = new Map<unknown, FetchError[]>();
  const general: FetchError[] = [];
  for (const error of result.errors) {
    const [name] = error.path;
    if (names.includes(name as string)) push(errors, name, error);
    else general.push(error);
  }
  return {
    answers: names.map((name) => ({
      value: wholeOr(data, name),
      errors: errors.get(name) ?? (isLost && name !== undefined ? lostBy(result, general, [name]) : []),
    })),
    general,
  };
}

/** One error, perhaps of one unit, took the data of all along. */
function lostBy(
  { errors }: Answered,
  general: readonly FetchError[],
  path: FetchError['path'],
): readonly FetchError[] {
  const [first] = errors;
  return first === undefined || general.length > 0 ? [] : [{ ...first, path }];
}

function wholeOr(data: unknown, name: string | undefined): unknown {
  if (name === undefined) return isPlainObject(data) ? data : undefined;
  return isPlainObject(data) && Object.hasOwn(data, name) ? data[name] : undefined;
}

function joinRoot(values: readonly unknown[], { units }: RootUnits): unknown {
  const data: ResponseObject = {};
  let isMissing = true;
  for (const [place, value] of values.entries()) {
    if (value === undefined) continue;
    isMissing = false;
    const name = units[place]?.responseName;
    if (name === undefined) return value;
    setKey(data, name, value);
  }
  return isMissing ? null : data;
}

class Unit implements CacheUnit {
  readonly plan: CachePlan;
  readonly type: string;
  readonly tagsOf: CacheUnit['tagsOf'];
  readonly #keys: FetchKeys;
  readonly #target: CacheKeyTarget;
  readonly #hasIdentity: boolean;
  #key: string | undefined;
  #privateKey: string | undefined;

  constructor(
    plan: CachePlan,
    keys: FetchKeys,
    { scope }: FetchCall,
    target: CacheKeyTarget,
    type: string,
    tagsOf: CacheUnit['tagsOf'],
  ) {
    this.plan = plan;
    this.type = type;
    this.tagsOf = tagsOf;
    this.#keys = keys;
    this.#target = target;
    this.#hasIdentity = scope.identity !== undefined;
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
    return this.#keys.of(scope, this.#target);
  }
}

/** Nobody's private values are kept. */
function isReachable(plan: CachePlan, { scope }: FetchCall): boolean {
  return plan.rule.scope === 'PUBLIC' || scope.identity !== undefined;
}

/** Every representation begins with its type. */
function typeOf(representation: string): string {
  const start = '{"__typename":"';
  if (!representation.startsWith(start)) return '';
  return representation.slice(start.length, representation.indexOf('"', start.length));
}

function push<Key>(lists: Map<Key, FetchError[]>, key: Key, error: FetchError): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [error]);
  else list.push(error);
}
