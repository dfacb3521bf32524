import { Kind, parse } from 'graphql';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Tells which type conditions hold for which runtime types of the supergraph. Plans also use types that the API schema
 *  hides. */
export class TypeConditions {
  /** The object types of each interface and union. */
  readonly #members = new Map<string, Set<string>>();
  readonly #objectTypes = new Set<string>();

  constructor(supergraphSdl: string) {
    for (const definition of parse(supergraphSdl, { noLocation: true }).definitions) {
      if (definition.kind === Kind.OBJECT_TYPE_DEFINITION) {
        this.#objectTypes.add(definition.name.value);
        for (const parent of definition.interfaces ?? []) {
          this.#membersOf(parent.name.value).add(definition.name.value);
        }
      } else if (definition.kind === Kind.UNION_TYPE_DEFINITION) {
        for (const member of definition.types ?? []) {
          this.#membersOf(definition.name.value).add(member.name.value);
        }
      }
    }
  }

  static forSupergraph(supergraph: Supergraph): TypeConditions {
    let conditions = bySupergraph.get(supergraph);
    if (conditions === undefined) {
      conditions = new TypeConditions(supergraph.sdl);
      bySupergraph.set(supergraph, conditions);
    }
    return conditions;
  }

  matches(condition: string, typename: string): boolean {
    return condition === typename || (this.#members.get(condition)?.has(typename) ?? false);
  }

  isObjectType = (typename: string): boolean => this.#objectTypes.has(typename);

  #membersOf(name: string): Set<string> {
    let members = this.#members.get(name);
    if (members === undefined) {
      members = new Set();
      this.#members.set(name, members);
    }
    return members;
  }
}

const bySupergraph = new WeakMap<Supergraph, TypeConditions>();
