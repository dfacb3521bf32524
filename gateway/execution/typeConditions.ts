import type { SupergraphNames } from '../planning/supergraphNames.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Tells which type conditions hold for which runtime types of the supergraph, and which names of types and enum values the
 *  supergraph has. Plans also use types that the API schema hides. */
export class TypeConditions {
  readonly #members: SupergraphNames['members'];
  readonly #objectTypes: ReadonlySet<string>;
  readonly #compositeTypes: ReadonlySet<string>;
  readonly #enumValues: SupergraphNames['enumValues'];

  constructor({ members, objectTypes, compositeTypes, enumValues }: SupergraphNames) {
    this.#members = members;
    this.#objectTypes = objectTypes;
    this.#compositeTypes = compositeTypes;
    this.#enumValues = enumValues;
  }

  static forSupergraph(supergraph: Supergraph): TypeConditions {
    let conditions = bySupergraph.get(supergraph);
    if (conditions === undefined) {
      conditions = new TypeConditions(supergraph.names);
      bySupergraph.set(supergraph, conditions);
    }
    return conditions;
  }

  matches(condition: string, typename: string): boolean {
    return condition === typename || (this.#members.get(condition)?.has(typename) ?? false);
  }

  /** The object types for which a type condition holds. */
  objectTypesOf(condition: string): ReadonlySet<string> {
    return this.#members.get(condition) ?? new Set([condition]);
  }

  isObjectType = (typename: string): boolean => this.#objectTypes.has(typename);

  /** Whether the supergraph has an object type, interface or union of this name. */
  hasCompositeType(typename: string): boolean {
    return this.#compositeTypes.has(typename);
  }

  hasEnumValue(enumName: string, value: string): boolean {
    return this.#enumValues.get(enumName)?.has(value) ?? false;
  }
}

const bySupergraph = new WeakMap<Supergraph, TypeConditions>();
