import { type DocumentNode, type FieldNode, Kind, parse } from 'graphql';
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

  /** `document`: the parsed SDL, if the caller has it. */
  static forSupergraph(supergraph: Supergraph, document?: DocumentNode): InternalNames {
    let names = bySupergraph.get(supergraph);
    if (names === undefined) {
      names = new InternalNames(fieldNamesOf(document ?? parse(supergraph.sdl, { noLocation: true })));
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

function fieldNamesOf(document: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (
      definition.kind === Kind.OBJECT_TYPE_DEFINITION ||
      definition.kind === Kind.INTERFACE_TYPE_DEFINITION ||
      definition.kind === Kind.OBJECT_TYPE_EXTENSION ||
      definition.kind === Kind.INTERFACE_TYPE_EXTENSION
    ) {
      for (const { name } of definition.fields ?? []) names.add(name.value);
    }
  }
  return names;
}
