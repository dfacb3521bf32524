type EntityQuery =
  | { readonly kind: 'entity'; readonly entity: unknown; readonly limit: number }
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

const defaultLimit = 100;
const maxLimit = 1_000;

const entityQueryUsage =
  'name the entity: ?type=Product&id=1, or as JSON, URL-encoded: ?entity={"__typename":"Product","id":"1"}';

/** Which entity the parameters of a URL name: `entity` with its representation as JSON, or `type` and the fields
 *  of a key, each as text. Keys with objects in them, or with a field `limit`, need the former. `limit` says how many
 *  entries are wanted. */
export function readEntityQuery(parameters: Readonly<Record<string, unknown>>): EntityQuery {
  const repeated = Object.keys(parameters).filter((name) => typeof parameters[name] !== 'string');
  if (repeated.length > 0) return invalidQuery(repeated.map((name) => `${name} is given more than once`));
  const { limit, entity, type, ...fields } = parameters as Readonly<Record<string, string>>;
  const count = limit === undefined ? defaultLimit : readLimit(limit);
  const reasons = count === undefined ? [`limit is ${JSON.stringify(limit)}; expected 1 to ${maxLimit}`] : [];
  const named = entity === undefined ? readFields(type, fields) : readJson(entity, type, fields);
  if (named.kind === 'mistakes' || count === undefined) {
    return invalidQuery([...reasons, ...(named.kind === 'mistakes' ? named.reasons : [])]);
  }
  return { ...named, limit: count };
}

type NamedEntity =
  | { readonly kind: 'entity'; readonly entity: unknown }
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

function readFields(type: string | undefined, fields: Readonly<Record<string, string>>): NamedEntity {
  if (type === undefined || type === '') return invalidQuery([entityQueryUsage]);
  if (Object.keys(fields).length === 0)
    return invalidQuery([`the key of ${type} is missing; ${entityQueryUsage}`]);
  if (fields.__typename !== undefined) return invalidQuery(['__typename is not needed; type says it']);
  return { kind: 'entity', entity: { __typename: type, ...fields } };
}

function readJson(
  text: string,
  type: string | undefined,
  fields: Readonly<Record<string, string>>,
): NamedEntity {
  const others = [...(type === undefined ? [] : ['type']), ...Object.keys(fields)];
  if (others.length > 0) {
    return invalidQuery([
      `entity is the whole representation; leave out ${others.join(', ')}, or put them into it`,
    ]);
  }
  try {
    return { kind: 'entity', entity: JSON.parse(text) };
  } catch {
    return invalidQuery([`entity is not valid JSON; ${entityQueryUsage}`]);
  }
}

function readLimit(text: string): number | undefined {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= maxLimit ? limit : undefined;
}

function invalidQuery(reasons: readonly string[]): {
  readonly kind: 'mistakes';
  readonly reasons: readonly string[];
} {
  return { kind: 'mistakes', reasons };
}
