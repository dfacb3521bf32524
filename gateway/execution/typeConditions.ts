import { type DocumentNode, Kind, parse } from 'graphql';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Tells which type conditions hold for which runtime types of the supergraph, and which names of types and enum values the
 *  supergraph has. Plans also use types that the API schema hides. */
export class TypeConditions {
  /** The object types of each interface and union. */
  readonly #members = new Map<string, Set<string>>();
  readonly #objectTypes = new Set<string>();
  readonly #compositeTypes = new Set<string>();
  readonly #enumValues = new Map<string, ReadonlySet<string>>();

  constructor(supergraph: DocumentNode) {
    for (const definition of supergraph.definitions) {
      if (definition.kind === Kind.ENUM_TYPE_DEFINITION) {
        const values = (definition.values ?? []).map((value) => value.name.value);
        this.#enumValues.set(definition.name.value, new Set(values));
      } else if (
        definition.kind === Kind.OBJECT_TYPE_DEFINITION ||
        definition.kind === Kind.INTERFACE_TYPE_DEFINITION ||
        definition.kind === Kind.UNION_TYPE_DEFINITION
      ) {
        this.#compositeTypes.add(definition.name.value);
      }
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

  /** `document`: the parsed SDL, if the caller has it. */
  static forSupergraph(supergraph: Supergraph, document?: DocumentNode): TypeConditions {
    let conditions = bySupergraph.get(supergraph);
    if (conditions === undefined) {
      conditions = new TypeConditions(document ?? parse(supergraph.sdl, { noLocation: true }));
      bySupergraph.set(supergraph, conditions);
    }
    return conditions;
  }

  matches(condition: string, typename: string): boolean {
    return condition === typename || (this.#members.get(condition)?.has(typename) ?? false);
  }

  isObjectType = (typename: string): boolean => this.#objectTypes.has(typename);

  /** Whether the supergraph has an object type, interface or union of this name. */
  hasCompositeType(typename: string): boolean {
    return this.#compositeTypes.has(typename);
  }

  hasEnumValue(enumName: string, value: string): boolean {
    return this.#enumValues.get(enumName)?.has(value) ?? false;
  }

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
