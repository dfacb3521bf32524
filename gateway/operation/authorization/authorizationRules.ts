import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  contextArgumentsOf,
  namedTypeOf,
  parseFieldSet,
  typesByContext,
} from '../../planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { Requirement } from './requirements.ts';

const none: readonly Requirement[] = [];

/** What clients need for reading the types and fields of one supergraph.
 *
 *  Composition adds to an interface the requirements of all its implementations, although objects of one implementation may
 *  need less. Such requirements are left to the runtime type of each object. Requirements that an interface has of its
 *  own (those of a composition that did not add any, and those that no implementation has) hold for all its objects,
 *  independent of the type on which they are selected. */
export class AuthorizationRules {
  readonly #requirements: ReadonlyMap<string, readonly Requirement[]>;
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  /** By type and field name, of the types that were looked up: a large graph has thousands that no operation selects. */
  readonly #fields = new Map<string, ReadonlyMap<string, FieldDefinitionNode>>();
  /** Object types by the name of an interface or union. */
  readonly #possibleTypes = new Map<string, string[]>();
  /** Types by the name of the context that they set. */
  readonly #contextTypes: ReadonlyMap<string, readonly string[]>;
  readonly #isPropagated: boolean;
  readonly #ofType = new Map<string, readonly Requirement[]>();
  readonly #ofField = new Map<string, readonly Requirement[]>();
  readonly #around = new Map<string, readonly Requirement[]>();

  /** `requirements`: see `readRequirements`. */
  constructor(document: DocumentNode, requirements: ReadonlyMap<string, readonly Requirement[]>) {
    this.#requirements = requirements;
    this.#types = compositesOf(document);
    this.#contextTypes = typesByContext(document);
    for (const definition of document.definitions) {
      if (definition.kind !== Kind.UNION_TYPE_DEFINITION) continue;
      const members = definition.types ?? [];
      this.#possibleTypes.set(
        definition.name.value,
        members.map(({ name }) => name.value),
      );
    }
    for (const [type, { kind, interfaces = [] }] of this.#types) {
      if (kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
      for (const { name } of interfaces)
        getOrInsertComputed(this.#possibleTypes, name.value, () => []).push(type);
    }
    this.#isPropagated = [...this.#types].every(([type, definition]) => this.#hasAllOf(type, definition));
  }

  /** What an object of the type needs, or a value of the scalar or enum. For an interface: what all its objects need. */
  ofType(type: string): readonly Requirement[] {
    return getOrInsertComputed(this.#ofType, type, () => {
      const own = this.#own(type, this.#implementationsOf(type));
      return [...new Set([...own, ...this.#interfacesOf(type).flatMap((name) => this.ofType(name))])];
    });
  }

  /** What the field needs on objects of the type, besides what the type needs: its own requirements, and those of its inputs
   *  (`@requires`, `@fromContext`). For an interface: what the field needs on all its objects. */
  ofField(type: string, field: string): readonly Requirement[] {
    const coordinate = `${type}.${field}`;
    return getOrInsertComputed(this.#ofField, coordinate, () => {
      const all = new CollectedRequirements();
      this.#addOfField(type, field, all);
      return all.list();
    });
  }

  /** Name of the type of a field, without list and non-null; `undefined` for an unknown field. */
  returnTypeOf(type: string, field: string): string | undefined {
    const definition = this.#fieldOf(type, field);
    return definition && namedTypeOf(definition);
  }

  /** Names of the object types of an interface or union; empty for other types. */
  possibleTypesOf(type: string): readonly string[] {
    return this.#possibleTypes.get(type) ?? [];
  }

  /** Every requirement that may decide about the field or its value, for any types of the objects. */
  around(type: string, field: string): readonly Requirement[] {
    const coordinate = `${type}.${field}`;
    return getOrInsertComputed(this.#around, coordinate, () => {
      const all = new CollectedRequirements();
      this.#addAround(type, field, all);
      return all.list();
    });
  }

  #fieldOf(type: string, field: string): FieldDefinitionNode | undefined {
    const fields = getOrInsertComputed(
      this.#fields,
      type,
      () => new Map(this.#types.get(type)?.fields?.map((node) => [node.name.value, node])),
    );
    return fields.get(field);
  }

  #interfacesOf(type: string): readonly string[] {
    return (this.#types.get(type)?.interfaces ?? []).map(({ name }) => name.value);
  }

  #implementationsOf(type: string): readonly string[] {
    return this.#types.get(type)?.kind === Kind.INTERFACE_TYPE_DEFINITION ? this.possibleTypesOf(type) : [];
  }

  /** The requirements at a coordinate without those that composition has added from the implementations. */
  #own(coordinate: string, implementations: readonly string[]): readonly Requirement[] {
    const declared = this.#at(coordinate);
    if (declared.length === 0 || implementations.length === 0 || !this.#isPropagated) return declared;
    return declared.filter(
      (requirement) =>
        !isImpliedByAll(
          requirement,
          implementations.flatMap((name) => this.#at(name).filter(({ kind }) => kind === requirement.kind)),
        ),
    );
  }

  /** Whether an interface and its fields require at least what each implementation does, as composition makes it. */
  #hasAllOf(type: string, { kind, fields = [] }: CompositeDefinition): boolean {
    if (kind !== Kind.INTERFACE_TYPE_DEFINITION) return true;
    const names = ['', ...fields.map(({ name }) => `.${name.value}`)];
    return names.every((name) =>
      this.possibleTypesOf(type).every((implementation) =>
        this.#at(`${implementation}${name}`).every((needed) =>
          this.#at(`${type}${name}`).some((declared) => implies(declared, needed)),
        ),
      ),
    );
  }

  #addAround(type: string, field: string, all: CollectedRequirements): void {
    for (const owner of [type, ...this.possibleTypesOf(type)]) {
      all.add(this.ofType(owner));
      this.#addOfField(owner, field, all);
    }
    const returned = this.returnTypeOf(type, field) ?? '';
    for (const name of [returned, ...this.possibleTypesOf(returned)]) all.add(this.ofType(name));
  }

  #addOfField(type: string, field: string, all: CollectedRequirements): void {
    const coordinate = `${type}.${field}`;
    // A field may be an input of itself, by a detour.
    if (!all.visit(coordinate)) return;
    const known = this.#ofField.get(coordinate);
    if (known !== undefined) {
      all.add(known);
      return;
    }
    const implementations = this.#implementationsOf(type).map((name) => `${name}.${field}`);
    all.add(this.#own(coordinate, implementations));
    for (const name of this.#interfacesOf(type)) this.#addOfField(name, field, all);
    // The inputs of an interface's field are those of the implementation that each object has.
    if (implementations.length === 0) this.#addOfInputs(type, field, all);
  }

  /** The requirements of the fields that the subgraphs of a field need from other subgraphs. An implementation has the
   *  inputs of its interfaces, because an `@interfaceObject` may resolve the field. */
  #addOfInputs(type: string, field: string, all: CollectedRequirements): void {
    for (const owner of [type, ...this.#interfacesOf(type)]) {
      for (const directive of this.#fieldOf(owner, field)?.directives ?? []) {
        if (directive.name.value !== 'join__field') continue;
        this.#addOfSelections(type, parseFieldSet(argumentOf(directive, 'requires')), all);
        this.#addOfContextArguments(directive, all);
      }
    }
  }

  #addOfContextArguments(directive: ConstDirectiveNode, all: CollectedRequirements): void {
    for (const { context, selection } of contextArgumentsOf(directive)) {
      const set = parseFieldSet(selection);
      for (const type of this.#contextTypes.get(context) ?? []) {
        all.add(this.ofType(type));
        this.#addOfSelections(type, set, all);
      }
    }
  }

  #addOfSelections(type: string, set: SelectionSetNode | undefined, all: CollectedRequirements): void {
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? type;
        all.add(this.ofType(condition));
        this.#addOfSelections(condition, selection.selectionSet, all);
      } else if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        this.#addAround(type, name, all);
        this.#addOfSelections(this.returnTypeOf(type, name) ?? '', selection.selectionSet, all);
      }
    }
  }

  #at(coordinate: string): readonly Requirement[] {
    return this.#requirements.get(coordinate) ?? none;
  }
}

/** The requirements of fields and of their inputs. */
class CollectedRequirements {
  readonly #requirements = new Set<Requirement>();
  readonly #visited = new Set<string>();

  /** Returns false for the coordinate of a field that was visited before. */
  visit(coordinate: string): boolean {
    if (this.#visited.has(coordinate)) return false;
    this.#visited.add(coordinate);
    return true;
  }

  add(requirements: readonly Requirement[]): void {
    for (const requirement of requirements) this.#requirements.add(requirement);
  }

  list(): readonly Requirement[] {
    return [...this.#requirements];
  }
}

/** Whether everyone who has `given` also has `needed`. */
function implies(given: Requirement, needed: Requirement): boolean {
  if (given.kind !== needed.kind) return false;
  return given.alternatives.every((names) => isGrantedBy(needed.alternatives, new Set(names)));
}

function isGrantedBy(alternatives: Requirement['alternatives'], granted: ReadonlySet<string>): boolean {
  return alternatives.some((names) => names.every((name) => granted.has(name)));
}

/** Combinations of alternatives to try. Beyond, a requirement counts as the interface's own, which is the stricter rule. */
const maxCombinations = 1000;

/** Whether everyone who has all of `given`, which are of one kind, also has `needed`. */
function isImpliedByAll(needed: Requirement, given: readonly Requirement[]): boolean {
  if (given.length === 0) return false;
  if (needed.kind === 'authenticated') return true;
  let combinations: ReadonlySet<string>[] = [new Set()];
  for (const { alternatives } of new Set(given)) {
    if (combinations.length * alternatives.length > maxCombinations) return false;
    combinations = combinations.flatMap((names) =>
      alternatives.map((further) => new Set([...names, ...further])),
    );
  }
  return combinations.every((names) => isGrantedBy(needed.alternatives, names));
}
