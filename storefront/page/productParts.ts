import { pendingFields, updateOf } from './enrichmentLink.ts';
import { isObject } from './isObject.ts';

/** The parts of the product page that arrive or fail independently, in the order of the page. */
export const partNames = ['product', 'stock', 'rating', 'reviews', 'recommendations'] as const;
export type PartName = (typeof partNames)[number];

/** What a payload brought of one field of `Query.product`, or of the product itself. */
export interface FieldOutcome {
  readonly part: PartName;
  /** `product` for all fields that are not deferrable. */
  readonly field: string;
  /** `failed` also for a field that the gateway tries to fetch again. */
  readonly outcome: 'arrived' | 'failed' | 'pending';
  /** Where an arrived value is from: omitted for a subgraph. */
  readonly origin?: CacheOrigin;
  /** The error code of a field that failed. */
  readonly code?: string;
}

/** A value of the gateway's cache. `staleForMs`: its age, for a stale one. */
export interface CacheOrigin {
  readonly staleForMs?: number;
}

/** The deferrable fields of `Query.product`, and the label of their `@defer`. */
const deferrableFields: ReadonlyMap<string, { readonly part: PartName; readonly label: string }> = new Map([
  ['stock', { part: 'stock', label: 'stock' }],
  ['averageRating', { part: 'rating', label: 'reviews' }],
  ['reviewCount', { part: 'rating', label: 'reviews' }],
  ['reviews', { part: 'reviews', label: 'reviews' }],
  ['recommended', { part: 'recommendations', label: 'recommendations' }],
]);

const subgraphs: Readonly<Record<PartName, string>> = {
  product: 'products',
  stock: 'inventory',
  rating: 'reviews',
  reviews: 'reviews',
  recommendations: 'recommendations',
};

/** The fields that make up a part. */
export function fieldsOf(part: PartName): readonly string[] {
  if (part === 'product') return ['product'];
  return [...deferrableFields].flatMap(([field, each]) => (each.part === part ? [field] : []));
}

type Path = readonly (string | number)[];

interface ResponseError {
  readonly path?: Path | undefined;
  readonly extensions?: { readonly code?: unknown };
}

interface IncrementalItem {
  readonly data?: object | null;
  readonly errors?: readonly ResponseError[];
  readonly label?: string | null;
}

/** Returns what a payload of the product page says about its fields: the first response, a payload of `@defer`, or an
 *  update of an enrichment. Empty for a payload without data, such as the last one of a stream. */
export function outcomesOf(payload: unknown): readonly FieldOutcome[] {
  const update = updateOf(payload);
  if (update !== undefined) {
    // A name of an author may follow its review.
    const isWhole = isWholeField(update.path);
    return isWhole ? [outcomeOf(fieldAt(update.path), update.data, update.errors ?? [], {})] : [];
  }
  if (!isObject(payload)) return [];
  const origins = originsOf(payload);
  const items: readonly IncrementalItem[] = Array.isArray(payload.incremental) ? payload.incremental : [];
  return [
    ...('data' in payload ? outcomesOfResponse(payload, origins) : []),
    ...items.flatMap((item) => outcomesOfItem(item, origins)),
  ];
}

function outcomesOfResponse(payload: Readonly<Record<string, unknown>>, origins: Origins): FieldOutcome[] {
  const errors: readonly ResponseError[] = Array.isArray(payload.errors) ? payload.errors : [];
  const product = isObject(payload.data) ? payload.data.product : null;
  const whole = outcomeOf('product', product, errors, origins);
  if (!isObject(product)) return [whole];
  const pendingWholes = pendingFields(payload).filter(({ path }) => isWholeField(path));
  const pending = new Map(pendingWholes.map(({ path, reason }) => [fieldAt(path), reason]));
  const fields = Object.entries(product).flatMap(([field, value]): FieldOutcome[] => {
    const part = deferrableFields.get(field)?.part;
    if (part === undefined) return [];
    if (!pending.has(field)) return [outcomeOf(field, value, errors, origins)];
    return [{ part, field, outcome: pending.get(field) === 'error' ? 'failed' : 'pending' }];
  });
  return [whole, ...fields];
}

/** A deferred fragment on the product. An error sets its whole data to null, or only the field that failed. */
function outcomesOfItem({ data, label, errors = [] }: IncrementalItem, origins: Origins): FieldOutcome[] {
  const fields = isObject(data)
    ? Object.entries(data)
    : [...deferrableFields].flatMap(([field, each]) =>
        each.label === label ? [[field, null] as const] : [],
      );
  return fields.flatMap(([field, value]) =>
    deferrableFields.has(field) ? [outcomeOf(field, value, errors, origins, !isObject(data))] : [],
  );
}

function outcomeOf(
  field: string,
  value: unknown,
  errors: readonly ResponseError[],
  origins: Origins,
  isFragmentNull = false,
): FieldOutcome {
  const part = deferrableFields.get(field)?.part ?? 'product';
  const error = errors.find(({ path = [] }) => isFragmentNull || path.length < 2 || fieldAt(path) === field);
  if (error !== undefined && (value === null || value === undefined)) {
    const code = error.extensions?.code;
    return { part, field, outcome: 'failed', ...(typeof code === 'string' ? { code } : {}) };
  }
  const origin = origins[field] ?? origins[part];
  return { part, field, outcome: 'arrived', ...(origin === undefined ? {} : { origin }) };
}

function isWholeField(path: Path): boolean {
  return path.length <= 2;
}

function fieldAt(path: Path): string {
  const field = path[1];
  return typeof field === 'string' && deferrableFields.has(field) ? field : 'product';
}

/** By field, for stale values; by part, for values that were in the cache. */
type Origins = Readonly<Record<string, CacheOrigin>>;

/** Reads from `extensions.tributary` which values are from the gateway's cache. A part is from the cache if no request to
 *  its subgraph was necessary. */
function originsOf({ extensions }: Readonly<Record<string, unknown>>): Origins {
  const origins: Record<string, CacheOrigin> = {};
  if (!isObject(extensions) || !isObject(extensions.tributary)) return origins;
  const { stale, explain } = extensions.tributary;
  const fetches = isObject(explain) && Array.isArray(explain.fetches) ? (explain.fetches as Fetch[]) : [];
  for (const part of partNames) {
    const own = fetches.filter(({ subgraph, group }) => {
      // Deferred fetches of the products are for other products.
      return subgraph === subgraphs[part] && (part !== 'product' || group === 0);
    });
    if (own.length > 0 && own.every(({ outcome }) => outcome === 'cached')) origins[part] = {};
  }
  const staleValues = Array.isArray(stale) ? (stale as StaleValue[]) : [];
  for (const { path, ageMs } of staleValues) {
    const field = fieldAt(path);
    origins[field] = { staleForMs: Math.max(ageMs, origins[field]?.staleForMs ?? 0) };
  }
  return origins;
}

interface Fetch {
  readonly subgraph: string;
  /** 0: the first payload needs it. */
  readonly group: number;
  readonly outcome?: string;
}

interface StaleValue {
  readonly path: Path;
  readonly ageMs: number;
}
