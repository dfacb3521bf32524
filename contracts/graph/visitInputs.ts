import {
  type ArgumentNode,
  type ASTNode,
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  Kind,
  type ObjectFieldNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** Visits all nodes of a document. `input`: the coordinate of the argument or input field that the node is, or is a
 *  value of. */
export function visitInputs(
  document: DocumentNode,
  schema: GraphQLSchema,
  enter: (node: ASTNode, types: TypeInfo, input: string | undefined) => void,
): void {
  const types = new TypeInfo(schema);
  const inputs: string[] = [];
  visit(
    document,
    visitWithTypeInfo(types, {
      enter: (node) => {
        if (isInputNode(node)) inputs.push(inputCoordinateOf(node, types));
        enter(node, types, inputs.at(-1));
      },
      leave: (node) => {
        if (isInputNode(node)) inputs.pop();
      },
    }),
  );
}

/** Whether a node passes a value to an input. */
export function isInputNode(node: ASTNode): node is ArgumentNode | ObjectFieldNode {
  return node.kind === Kind.ARGUMENT || node.kind === Kind.OBJECT_FIELD;
}

function inputCoordinateOf(node: ArgumentNode | ObjectFieldNode, types: TypeInfo): string {
  const name = node.name.value;
  if (node.kind === Kind.OBJECT_FIELD) return `${getNamedType(types.getParentInputType())?.name}.${name}`;
  const directive = types.getDirective();
  if (directive != null) return `@${directive.name}(${name}:)`;
  return `${types.getParentType()?.name}.${types.getFieldDef()?.name}(${name}:)`;
}
