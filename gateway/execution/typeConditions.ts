import type { SupergraphNames } from '../planning/supergraphNames.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Decides which type conditions hold for which object types of a supergraph. Plans also use types that the API schema
 *  hides. */
export class TypeConditions {
  readonly #members: SupergraphNames['members'];
  readonly #objectTypes: ReadonlySet<string>;

  constructor({ members, objectTypes }: SupergraphNames) {
    this.#members = members;
    this.#objectTypes = objectTypes;
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
}

const bySupergraph = new WeakMap<Supergraph, TypeConditions>();
