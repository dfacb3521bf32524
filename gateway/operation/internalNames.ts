import { type FieldNode, Kind, parse, visit } from 'graphql';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Gives aliases that could be mistaken for something else a name of their own on the way to the planner,
 *  the subgraphs and the response tree. The answer carries the client's names again.
 *
 *  `{ product { id: description slow } }` is the trap: the planner adds the key field `id` for the next hop
 *  and would send the description in its place. Keys may be hidden from the API schema, therefore every
 *  field name of the supergraph counts. */
export class InternalNames {
  readonly #fieldNames: ReadonlySet<string>;

  constructor(fieldNames: ReadonlySet<string>) {
    this.#fieldNames = fieldNames;
  }

  static forSupergraph(supergraph: Supergraph): InternalNames {
    let names = bySupergraph.get(supergraph);
    if (names === undefined) {
      names = new InternalNames(fieldNamesOf(supergraph.sdl));
      bySupergraph.set(supergraph, names);
    }
    return names;
  }

  internalNameOf(responseName: string, field: FieldNode): string {
    const fieldName = field.name.value;
    // Object.prototype's names would be found on every object that JSON.parse makes, present or not.
    const isNative = responseName in Object.prototype;
    if (!isNative && responseName === fieldName) return responseName;
    return isNative || this.#fieldNames.has(responseName) || responseName.startsWith('_')
      ? // The length tells where the one name ends: `b_c: a` and `c: a_b` must not become the same.
        `${aliasPrefix}${fieldName.length}_${fieldName}_${responseName}`
      : responseName;
  }
}

/** Aliases that start with an underscore are always renamed, so no client can choose a name of this form. */
const aliasPrefix = '_alias_';

const bySupergraph = new WeakMap<Supergraph, InternalNames>();

function fieldNamesOf(sdl: string): ReadonlySet<string> {
  const names = new Set<string>();
  visit(parse(sdl, { noLocation: true }), {
    [Kind.FIELD_DEFINITION]: (node) => {
      names.add(node.name.value);
      return false;
    },
  });
  return names;
}
