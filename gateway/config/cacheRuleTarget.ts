/** The target of a key in `cache.rules`. */
export type CacheRuleTarget =
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'field'; readonly type: string; readonly field: string }
  | { readonly kind: 'subgraph'; readonly subgraph: string };

const name = '[_A-Za-z][_0-9A-Za-z]*';

/** Source text of a regular expression for the JSON Schema of the configuration. */
export const cacheRuleTargetPattern = `^(subgraph:.*\\S.*|${name}(\\.${name})?)$`;

const coordinate = new RegExp(`^(${name})(?:\\.(${name}))?$`);

/** Parses `Product`, `Product.stock` or `subgraph:inventory`; `undefined` for anything else. GraphQL names contain no
 *  colon, so that types and subgraphs are distinct. */
export function parseCacheRuleTarget(text: string): CacheRuleTarget | undefined {
  if (text.startsWith('subgraph:')) {
    const subgraph = text.slice('subgraph:'.length).trim();
    return subgraph === '' ? undefined : { kind: 'subgraph', subgraph };
  }
  const [, type, field] = coordinate.exec(text) ?? [];
  if (type === undefined) return undefined;
  return field === undefined ? { kind: 'type', type } : { kind: 'field', type, field };
}
