import type { FieldNode } from 'graphql';
import { namesOfSupergraph } from '../supergraph/namesOfSupergraph.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Renames aliases that equal the name of another field, for the planner, the subgraphs and the response tree. The
 *  response contains the client's names.
 *
 *  In `{ product { id: description slow } }`, the planner adds the key field `id` for the fetch of `slow`, and would send
 *  the description as the key. Keys may be inaccessible in the API schema, so that every field name of the supergraph
 *  is relevant. */
export class InternalNames {
  readonly #fieldNames: ReadonlySet<string>;

  constructor(fieldNames: ReadonlySet<string>) {
    this.#fieldNames = fieldNames;
  }

  static forSupergraph(supergraph: Supergraph): InternalNames {
    let names = bySupergraph.get(supergraph);
    if (names === undefined) {
      names = new InternalNames(namesOfSupergraph(supergraph).fields);
      bySupergraph.set(supergraph, names);
    }
    return names;
  }

  internalNameOf(responseName: string, field: FieldNode): string {
    const fieldName = field.name.value;
    // Names of Object.prototype's members are found on every parsed object, whether or not the key is present.
    const isNative = responseName in Object.prototype;
    if (!isNative && responseName === fieldName) return responseName;
    return isNative || this.#fieldNames.has(responseName) || responseName.startsWith('_')
      ? // The length marks the end of the field name, so that `b_c: a` and `c: a_b` get different names.
        `${aliasPrefix}${fieldName.length}_${fieldName}_${responseName}`
      : responseName;
  }
}

/** No client alias has this form, because all aliases that start with an underscore are renamed. */
const aliasPrefix = '_alias_';

const bySupergraph = new WeakMap<Supergraph, InternalNames>();
