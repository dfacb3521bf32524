import {
  baseType,
  type CompositeType,
  type DirectiveDefinition,
  type FieldDefinition,
  type InputType,
  isCompositeType,
  isCustomScalarType,
  isInputObjectType,
  type NamedType,
  type Schema,
} from '@apollo/federation-internals';
import {
  type ArgumentNode,
  type ConstValueNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  Kind,
  type ObjectFieldNode,
  type ObjectValueNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type StringValueNode,
  type ValueNode,
  type VariableDefinitionNode,
} from 'graphql';

interface ProtectedOperation {
  /** The operation for the planner. */
  readonly document: DocumentNode;
  /** Puts the literals back into the JSON text of a plan for the operation. */
  restore(planJson: string): string;
}

/** Replaces literals by strings that the planner does not change: it reads every literal as a JavaScript value and prints
 *  that. In a custom scalar, a number may be outside the range of a double or lose digits, and the name of an enum value
 *  becomes a string. An ID such as `"123"` becomes an integer, which servers refuse that have no integers of that size.
 *  `text`: the text of the document, whose fragments are inlined. */
export function protectLiterals(
  document: DocumentNode,
  text: string,
  schema: Schema,
): ProtectedOperation | undefined {
  if (schema.scalarTypes().length === 0 && !/"-?\d+"/.test(text)) return undefined;
  let marker = '_literal';
  while (text.includes(marker)) marker += '_';
  const literals = new LiteralReplacement(schema, marker);
  const definitions = document.definitions.map((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? literals.replaceIn(definition) : definition,
  );
  return literals.isEmpty
    ? undefined
    : { document: { ...document, definitions }, restore: (planJson) => literals.restore(planJson) };
}

class LiteralReplacement {
  readonly #schema: Schema;
  readonly #marker: string;
  readonly #literals: string[] = [];

  /** `marker`: a text that the operation does not contain. */
  constructor(schema: Schema, marker: string) {
    this.#schema = schema;
    this.#marker = marker;
  }

  get isEmpty(): boolean {
    return this.#literals.length === 0;
  }

  restore(planJson: string): string {
    return planJson.replace(new RegExp(`\\\\"${this.#marker}(\\d+)\\\\"`, 'g'), (_, index) =>
      JSON.stringify(this.#literals[Number(index)]).slice(1, -1),
    );
  }

  replaceIn(operation: OperationDefinitionNode): OperationDefinitionNode {
    const rootType = this.#schema.schemaDefinition.rootType(operation.operation);
    return {
      ...operation,
      variableDefinitions: (operation.variableDefinitions ?? []).map((variable) => this.#inDefault(variable)),
      selectionSet: this.#inSelections(operation.selectionSet, rootType),
    };
  }

  #inDefault(variable: VariableDefinitionNode): VariableDefinitionNode {
    const { defaultValue } = variable;
    if (defaultValue === undefined) return variable;
    let named = variable.type;
    while (named.kind !== Kind.NAMED_TYPE) named = named.type;
    const type = this.#schema.type(named.name.value) as InputType | undefined;
    return { ...variable, defaultValue: this.#inValue(defaultValue, type) as ConstValueNode };
  }

  #inSelections(set: SelectionSetNode, parent: CompositeType | undefined): SelectionSetNode {
    const selections = set.selections.map((selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
      if (selection.kind === Kind.FIELD) return this.#inField(selection, parent);
      const condition = selection.typeCondition && this.#schema.type(selection.typeCondition.name.value);
      return {
        ...selection,
        directives: this.#inDirectives(selection.directives),
        selectionSet: this.#inSelections(selection.selectionSet, compositeOf(condition) ?? parent),
      };
    });
    return { ...set, selections };
  }

  #inField(field: FieldNode, parent: CompositeType | undefined): FieldNode {
    const definition =
      parent === undefined || parent.kind === 'UnionType' ? undefined : parent.field(field.name.value);
    const type = definition?.type && baseType(definition.type);
    return {
      ...field,
      arguments: this.#inArguments(field.arguments, definition),
      directives: this.#inDirectives(field.directives),
      ...(field.selectionSet && {
        selectionSet: this.#inSelections(field.selectionSet, compositeOf(type)),
      }),
    };
  }

  #inDirectives(directives: readonly DirectiveNode[] = []): DirectiveNode[] {
    return directives.map((directive) => ({
      ...directive,
      arguments: this.#inArguments(directive.arguments, this.#schema.directive(directive.name.value)),
    }));
  }

  #inArguments(
    given: readonly ArgumentNode[] = [],
    definition: FieldDefinition<CompositeType> | DirectiveDefinition | undefined,
  ): ArgumentNode[] {
    return given.map((argument) => ({
      ...argument,
      value: this.#inValue(argument.value, definition?.argument(argument.name.value)?.type),
    }));
  }

  #inValue(value: ValueNode, type: InputType | undefined): ValueNode {
    const named = type && baseType(type);
    if (named === undefined) return value;
    if (isCustomScalarType(named)) return this.#inScalar(value);
    switch (value.kind) {
      case Kind.LIST:
        return { ...value, values: value.values.map((element) => this.#inValue(element, type)) };
      case Kind.OBJECT:
        return isInputObjectType(named)
          ? mapFields(value, (field) => this.#inValue(field.value, named.field(field.name.value)?.type))
          : value;
      case Kind.STRING:
        return named.name === 'ID' && integerPattern.test(value.value)
          ? this.#replace(JSON.stringify(value.value))
          : value;
      default:
        return value;
    }
  }

  /** `value`: of a custom scalar, or within one. */
  #inScalar(value: ValueNode): ValueNode {
    switch (value.kind) {
      case Kind.LIST:
        return { ...value, values: value.values.map((element) => this.#inScalar(element)) };
      case Kind.OBJECT:
        return mapFields(value, (field) => this.#inScalar(field.value));
      case Kind.ENUM:
        return this.#replace(value.value);
      case Kind.INT:
      case Kind.FLOAT:
        return String(Number(value.value)) === value.value ? value : this.#replace(value.value);
      default:
        return value;
    }
  }

  #replace(literal: string): StringValueNode {
    return { kind: Kind.STRING, value: `${this.#marker}${this.#literals.push(literal) - 1}` };
  }
}

function compositeOf(type: NamedType | undefined): CompositeType | undefined {
  return type !== undefined && isCompositeType(type) ? type : undefined;
}

function mapFields(object: ObjectValueNode, protect: (field: ObjectFieldNode) => ValueNode): ObjectValueNode {
  return { ...object, fields: object.fields.map((field) => ({ ...field, value: protect(field) })) };
}

const integerPattern = /^-?\d+$/;
