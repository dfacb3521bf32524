import {
  baseType,
  type CompositeType,
  type DirectiveDefinition,
  type FieldDefinition,
  type InputType,
  isCompositeType,
  isCustomScalarType,
  isInputObjectType,
  type Schema,
} from '@apollo/federation-internals';
import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  Kind,
  type SelectionSetNode,
  type ValueNode,
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
  const literals: string[] = [];
  let marker = '_literal';
  while (text.includes(marker)) marker += '_';
  const definitions = document.definitions.map((definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
    const rootType = schema.schemaDefinition.rootType(definition.operation);
    return {
      ...definition,
      variableDefinitions: (definition.variableDefinitions ?? []).map((variable) => {
        const { defaultValue } = variable;
        if (defaultValue === undefined) return variable;
        let named = variable.type;
        while (named.kind !== Kind.NAMED_TYPE) named = named.type;
        const type = schema.type(named.name.value);
        return { ...variable, defaultValue: protect(defaultValue, type as InputType | undefined) };
      }),
      selectionSet: protectSelections(definition.selectionSet, rootType),
    };
  });
  if (literals.length === 0) return undefined;
  const pattern = new RegExp(`\\\\"${marker}(\\d+)\\\\"`, 'g');
  return {
    document: { ...document, definitions } as DocumentNode,
    restore: (planJson) =>
      planJson.replace(pattern, (_, index) => JSON.stringify(literals[Number(index)]).slice(1, -1)),
  };

  function protectSelections(set: SelectionSetNode, parent: CompositeType | undefined): SelectionSetNode {
    return {
      ...set,
      selections: set.selections.map((selection) => {
        if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
        if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition && schema.type(selection.typeCondition.name.value);
          const type = condition !== undefined && isCompositeType(condition) ? condition : parent;
          return {
            ...selection,
            directives: protectDirectives(selection.directives),
            selectionSet: protectSelections(selection.selectionSet, type),
          };
        }
        const field =
          parent === undefined || parent.kind === 'UnionType'
            ? undefined
            : parent.field(selection.name.value);
        const type = field?.type && baseType(field.type);
        return {
          ...selection,
          arguments: protectArguments(selection.arguments, field),
          directives: protectDirectives(selection.directives),
          ...(selection.selectionSet === undefined
            ? {}
            : {
                selectionSet: protectSelections(
                  selection.selectionSet,
                  type !== undefined && isCompositeType(type) ? type : undefined,
                ),
              }),
        };
      }),
    };
  }

  function protectDirectives(directives: readonly DirectiveNode[] = []): DirectiveNode[] {
    return directives.map((directive) => ({
      ...directive,
      arguments: protectArguments(directive.arguments, schema.directive(directive.name.value)),
    }));
  }

  function protectArguments(
    given: readonly ArgumentNode[] = [],
    definition: FieldDefinition<CompositeType> | DirectiveDefinition | undefined,
  ): ArgumentNode[] {
    return given.map((argument) => ({
      ...argument,
      value: protect(argument.value, definition?.argument(argument.name.value)?.type),
    }));
  }

  function protect(value: ValueNode, type: InputType | undefined): ValueNode {
    const named = type && baseType(type);
    if (named === undefined) return value;
    if (isCustomScalarType(named)) return protectScalar(value);
    if (value.kind === Kind.LIST)
      return { ...value, values: value.values.map((element) => protect(element, type)) };
    if (value.kind === Kind.STRING && named.name === 'ID')
      return integerPattern.test(value.value) ? replaceLiteral(JSON.stringify(value.value)) : value;
    if (!isInputObjectType(named)) return value;
    if (value.kind !== Kind.OBJECT) return value;
    const fields = value.fields.map((field) => ({
      ...field,
      value: protect(field.value, named.field(field.name.value)?.type),
    }));
    return { ...value, fields };
  }

  function protectScalar(value: ValueNode): ValueNode {
    switch (value.kind) {
      case Kind.LIST:
        return { ...value, values: value.values.map(protectScalar) };
      case Kind.OBJECT:
        return {
          ...value,
          fields: value.fields.map((field) => ({ ...field, value: protectScalar(field.value) })),
        };
      case Kind.INT:
      case Kind.FLOAT:
      case Kind.ENUM:
        if (value.kind !== Kind.ENUM && String(Number(value.value)) === value.value) return value;
        return replaceLiteral(value.value);
      default:
        return value;
    }
  }

  function replaceLiteral(literal: string): ValueNode {
    return { kind: Kind.STRING, value: `${marker}${literals.push(literal) - 1}` };
  }
}

const integerPattern = /^-?\d+$/;
