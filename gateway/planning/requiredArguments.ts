import {
  type ArgumentNode,
  type FieldDefinitionNode,
  type FieldNode,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import { pathBelow } from './fieldTree.ts';
import {
  type CompositeDefinition,
  implementsInterface,
  isOfInterfaceObject,
  namedTypeOf,
  parseFieldSet,
} from './supergraphDocument.ts';

/** A field with arguments as a `@requires` or a `@fromContext` selects it. The planner merges fields by response name and
 *  ignores their arguments, so that its supergraph has a placeholder field for each field and each set of arguments; for a
 *  `@fromContext`, also for each selection of an object. */
export interface RequiredField {
  /** Name of the placeholder field in the planner's supergraph and in its plans. */
  readonly placeholder: string;
  /** The subgraphs' field. */
  readonly name: string;
  readonly arguments: readonly ArgumentNode[];
}

/** One use of a required field in the field set of a `@requires`. */
export interface RequiredUse {
  readonly field: RequiredField;
  /** Response names from the entity to the parent object of the field, joined by dots. */
  readonly path: string;
  /** The type that the field is selected on. */
  readonly typeName: string;
}

export interface RequiredArguments {
  /** By the name of the placeholder. */
  readonly fields: ReadonlyMap<string, RequiredField>;
  /** Required fields with arguments by the field with the `@requires`, as `subgraph Type.field`. */
  readonly uses: ReadonlyMap<string, readonly RequiredUse[]>;
  /** Arguments of a field as text. Omitted arguments are included with their defaults, if all fields of that name have
   *  the same defaults. Equal texts mean equal values. */
  canonicalArgumentsOf(name: string, given: readonly ArgumentNode[]): string;
}

/** A replacement of the fields in one field set by placeholders. */
interface Replacement {
  /** Equal for fields that share a placeholder; `undefined` for a field that gets none. */
  keyOf(field: FieldNode, definition: FieldDefinitionNode): string | undefined;
  /** Gets the replaced fields. */
  readonly uses: RequiredUse[];
}

/** Adds placeholder fields to the types of a supergraph. Replaces definitions in the given `types`. */
export class PlaceholderFields implements RequiredArguments {
  readonly fields = new Map<string, RequiredField>();
  readonly uses = new Map<string, RequiredUse[]>();
  readonly #types: Map<string, CompositeDefinition>;
  readonly #prefix: string;
  readonly #bySelection = new Map<string, RequiredField>();
  readonly #defaultsByName = new Map<string, readonly ArgumentNode[]>();
  /** Names of all fields that have arguments on any type. */
  #namesWithArguments: ReadonlySet<string> | undefined;

  /** `prefix`: a prefix that no field name of the supergraph has. */
  constructor(types: Map<string, CompositeDefinition>, prefix: string) {
    this.#types = types;
    this.#prefix = prefix;
  }

  /** Replaces the fields with arguments in a `@requires` field set by placeholders, and defines these on the types. */
  replace(fieldSet: string, typeName: string, coordinate: string): string {
    const uses: RequiredUse[] = [];
    const set = parseFieldSet(fieldSet);
    if (set === undefined) return fieldSet;
    const replaced = this.#replaceSelectionSet(set, typeName, '', { keyOf: keyOfRequired, uses });
    if (uses.length === 0) return fieldSet;
    this.uses.set(coordinate, uses);
    return print(replaced).slice(1, -1).trim();
  }

  /** Does the same with the selection of a `@fromContext`. `typeNames`: the types that set the context. */
  replaceInContext(selection: string, typeNames: readonly string[]): string {
    const set = parseFieldSet(selection);
    if (set === undefined) return selection;
    const uses: RequiredUse[] = [];
    const keyOf: Replacement['keyOf'] = (field) => {
      // Where two contexts select different fields of one object, the planner loses one of the two selections.
      if (field.selectionSet !== undefined) return print(field);
      // The selection has one text for all of these types, so that names decide which fields are replaced.
      return this.#hasArgumentsSomewhere(field.name.value) ? selectionKeyOf(field) : undefined;
    };
    let replaced = set;
    for (const typeName of typeNames)
      replaced = this.#replaceSelectionSet(set, typeName, '', { keyOf, uses });
    return uses.length === 0 ? selection : print(replaced);
  }

  canonicalArgumentsOf(name: string, given: readonly ArgumentNode[]): string {
    const defaults = this.#defaults(name).filter(
      (argument) => !given.some((other) => other.name.value === argument.name.value),
    );
    return [...given, ...defaults].map(print).sort().join(', ');
  }

  #hasArgumentsSomewhere(name: string): boolean {
    this.#namesWithArguments ??= new Set(
      [...this.#types.values()].flatMap(({ fields = [] }) =>
        fields.filter(hasArguments).map((field) => field.name.value),
      ),
    );
    return this.#namesWithArguments.has(name);
  }

  #defaults(name: string): readonly ArgumentNode[] {
    return getOrInsertComputed(this.#defaultsByName, name, () => {
      const ofTypes = [...this.#types.values()].flatMap(({ fields = [] }) =>
        fields.filter((field) => field.name.value === name).map(defaultArgumentsOf),
      );
      const texts = new Set(ofTypes.map((ofType) => ofType.map(print).sort().join()));
      return texts.size === 1 ? (ofTypes[0] ?? []) : [];
    });
  }

  #replaceSelectionSet(
    set: SelectionSetNode,
    typeName: string,
    path: string,
    replacement: Replacement,
  ): SelectionSetNode {
    const selections = set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const inner = selection.typeCondition?.name.value ?? typeName;
        return {
          ...selection,
          selectionSet: this.#replaceSelectionSet(selection.selectionSet, inner, path, replacement),
        };
      }
      return selection.kind === Kind.FIELD
        ? this.#replaceField(selection, typeName, path, replacement)
        : selection;
    });
    return { ...set, selections };
  }

  #replaceField(field: FieldNode, typeName: string, path: string, replacement: Replacement): FieldNode {
    const definition = this.#types.get(typeName)?.fields?.find(({ name }) => name.value === field.name.value);
    if (definition === undefined) return field;
    // The field set may belong to a placeholder that was copied after its field set had been replaced.
    const key = replacement.keyOf(field, definition);
    const required =
      key === undefined ? this.fields.get(field.name.value) : this.#requiredFieldOf(field, key);
    if (required !== undefined) {
      this.#definePlaceholder(typeName, required);
      replacement.uses.push({ field: required, path, typeName });
    }
    const name = required?.placeholder ?? field.name.value;
    const selectionSet =
      field.selectionSet &&
      this.#replaceSelectionSet(
        field.selectionSet,
        namedTypeOf(definition),
        pathBelow(path, name),
        replacement,
      );
    return {
      kind: Kind.FIELD,
      name: { kind: Kind.NAME, value: name },
      ...(field.directives === undefined ? {} : { directives: field.directives }),
      ...(selectionSet === undefined ? {} : { selectionSet }),
    };
  }

  #requiredFieldOf({ name, arguments: given = [] }: FieldNode, key: string): RequiredField {
    const required = getOrInsertComputed(this.#bySelection, key, () => ({
      placeholder: `${this.#prefix}${this.#bySelection.size}_${name.value}`,
      name: name.value,
      arguments: given,
    }));
    this.fields.set(required.placeholder, required);
    return required;
  }

  /** Defines the placeholder on a type, for an interface on its implementations, and for a field that a subgraph with an
   *  `@interfaceObject` resolves on the interface. */
  #definePlaceholder(typeName: string, required: RequiredField): void {
    const type = this.#types.get(typeName);
    if (type?.fields === undefined || type.fields.some(({ name }) => name.value === required.placeholder))
      return;
    const original = type.fields.find(({ name }) => name.value === required.name);
    if (original === undefined) return;
    const placeholder: FieldDefinitionNode = {
      ...original,
      name: { kind: Kind.NAME, value: required.placeholder },
      arguments: [],
    };
    this.#types.set(typeName, { ...type, fields: [...type.fields, placeholder] });
    if (original.directives?.some(isOfInterfaceObject))
      for (const { name } of type.interfaces ?? []) this.#definePlaceholder(name.value, required);
    if (type.kind !== Kind.INTERFACE_TYPE_DEFINITION) return;
    for (const [name, other] of this.#types) {
      if (implementsInterface(other, typeName)) this.#definePlaceholder(name, required);
    }
  }
}

function keyOfRequired(field: FieldNode, definition: FieldDefinitionNode): string | undefined {
  return hasArguments(definition) ? selectionKeyOf(field) : undefined;
}

function selectionKeyOf({ name, arguments: given = [] }: FieldNode): string {
  return `${name.value}(${given.map(print).sort().join(', ')})`;
}

function hasArguments({ arguments: definitions = [] }: FieldDefinitionNode): boolean {
  return definitions.length > 0;
}

function defaultArgumentsOf({ arguments: definitions = [] }: FieldDefinitionNode): ArgumentNode[] {
  return definitions.flatMap(({ name, defaultValue }) =>
    defaultValue === undefined ? [] : [{ kind: Kind.ARGUMENT, name, value: defaultValue }],
  );
}
