import { type FieldNode, Kind, print, visit } from 'graphql';
import type { SupergraphNames } from '../planning/supergraphNames.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { withSortedFields } from './canonicalizeOperation.ts';

/** Gives ambiguous response names another name, for the planner, the subgraphs and the response tree. The response
 *  contains the client's names.
 *
 *  In `{ product { id: description slow } }`, the planner adds the key field `id` for the fetch of `slow`, and would send
 *  the description as the key. Keys may be inaccessible in the API schema, so that every field name of the supergraph
 *  is relevant. */
export class InternalNames {
  readonly #fieldNames: ReadonlySet<string>;
  readonly #hasInterfaceObjects: boolean;

  constructor({ fields }: Pick<SupergraphNames, 'fields'>, hasInterfaceObjects = false) {
    this.#fieldNames = fields;
    this.#hasInterfaceObjects = hasInterfaceObjects;
  }

  static forSupergraph(supergraph: Supergraph): InternalNames {
    let names = bySupergraph.get(supergraph);
    if (names === undefined) {
      names = new InternalNames(supergraph.names, /\bisInterfaceObject\s*:\s*true\b/.test(supergraph.sdl));
      bySupergraph.set(supergraph, names);
    }
    return names;
  }

  /** Returns the names for one operation. In a supergraph with an `@interfaceObject`, different fields of one response name
   *  get different names: for a subgraph with the `@interfaceObject`, fragments on different types are fragments on one
   *  type, and the planner would fetch only one of the fields there. */
  forOperation(): (responseName: string, field: FieldNode) => string {
    if (!this.#hasInterfaceObjects) return (responseName, field) => this.#nameOf(responseName, field);
    const namesBySelection = new Map<string, Map<string, string>>();
    return (responseName, field) => {
      const plain = this.#nameOf(responseName, field);
      const names = namesBySelection.get(plain) ?? new Map<string, string>();
      namesBySelection.set(plain, names);
      const selection = selectionTextOf(field);
      const name =
        names.get(selection) ?? (names.size === 0 ? plain : `${variantPrefix}${names.size}_${plain}`);
      names.set(selection, name);
      return name;
    };
  }

  #nameOf(responseName: string, field: FieldNode): string {
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

/** No client alias has one of these forms, because all aliases that start with an underscore are renamed. */
const aliasPrefix = '_alias_';

const variantPrefix = '_variant_';

/** The field with its arguments. Equal for fields that may be merged. */
function selectionTextOf({ name, arguments: given = [] }: FieldNode): string {
  if (given.length === 0) return name.value;
  const fields = given.map((argument) => ({ ...argument, kind: Kind.OBJECT_FIELD }) as const);
  const sorted = visit({ kind: Kind.OBJECT, fields } as const, {
    [Kind.OBJECT]: { leave: withSortedFields },
  });
  return `${name.value}${print(sorted)}`;
}

const bySupergraph = new WeakMap<Supergraph, InternalNames>();
