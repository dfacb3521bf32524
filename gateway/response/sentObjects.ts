import {
  type GraphQLList,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
} from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isObject } from '../json/isObject.ts';
import type { RuntimeType, SelectionSet } from '../operation/selection.ts';
import { runtimeTypeOf } from './runtimeType.ts';

/** An object that the data of a payload belongs to. */
interface PayloadPosition {
  readonly object: ResponseObject;
  readonly type: RuntimeType;
  readonly path: ResponsePath;
}

/** The data of one payload at one of its positions. */
interface SentSelections extends Omit<PayloadPosition, 'path'> {
  readonly set: SelectionSet;
}

/** The lists and objects of the payloads that were sent. A later payload must not replace them by null: clients merge its
 *  data into them. Stores what each payload selects, and searches it only when a null was propagated. */
export class SentObjects {
  readonly #schema: GraphQLSchema;
  /** Not in the index yet. */
  #added: { readonly set: SelectionSet; readonly positions: readonly PayloadPosition[] }[] = [];
  readonly #byPath = new Map<string, SentSelections[]>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /** The payload of a selection set at these positions was sent. */
  add(set: SelectionSet, positions: readonly PayloadPosition[]): void {
    this.#added.push({ set, positions });
  }

  /** Whether a payload has a list or an object at the path. Paths of nulls that were sent are not looked up. */
  has(path: ResponsePath): boolean {
    this.#addToIndex();
    for (let length = 0; length < path.length; length++) {
      const sent = this.#byPath.get(keyOf(path.slice(0, length)));
      const below = path.slice(length);
      if (sent?.some(({ set, type, object }) => this.#leadsToContainer(set, type, object, below)) === true)
        return true;
    }
    return false;
  }

  #addToIndex(): void {
    for (const { set, positions } of this.#added) {
      for (const { type, object, path } of positions) {
        const key = keyOf(path);
        const sent = this.#byPath.get(key);
        if (sent === undefined) this.#byPath.set(key, [{ set, type, object }]);
        else sent.push({ set, type, object });
      }
    }
    this.#added = [];
  }

  #leadsToContainer(
    set: SelectionSet,
    type: RuntimeType,
    object: ResponseObject,
    [name, ...path]: ResponsePath,
  ): boolean {
    const field = set.collect(this.#schema, type).fields.find(({ responseName }) => responseName === name);
    if (field?.selectionSet === undefined) return false;
    let value = object[field.internalName];
    let declared: GraphQLOutputType = field.type;
    while (typeof path[0] === 'number') {
      if (!Array.isArray(value)) return false;
      value = value[path.shift() as number];
      declared = (getNullableType(declared) as GraphQLList<GraphQLOutputType>).ofType;
    }
    if (path.length === 0) return typeof value === 'object' && value !== null;
    if (!isObject(value)) return false;
    const named = getNamedType(declared);
    const inner = isAbstractType(named)
      ? runtimeTypeOf(this.#schema, named, field.selectionSet, value.__typename)
      : (named as RuntimeType);
    return inner !== undefined && this.#leadsToContainer(field.selectionSet, inner, value, path);
  }
}

/** Response names have no dots. */
function keyOf(path: ResponsePath): string {
  return path.join('.');
}
