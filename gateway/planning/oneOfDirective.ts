import {
  type ConstDirectiveNode,
  type DocumentNode,
  GraphQLError,
  type InputValueDefinitionNode,
  Kind,
  parse,
} from 'graphql';

// `@oneOf` of the GraphQL specification. The federation packages know it only as a directive that a schema defines.

/** Adds the definition of `@oneOf` to SDL that uses the directive without it. A definition is optional for a directive of
 *  the GraphQL specification. SDL with a syntax error is returned unchanged. */
export function defineOneOf(sdl: string): string {
  if (!sdl.includes('@oneOf')) return sdl;
  try {
    return isOneOfDefined(parse(sdl, { noLocation: true })) ? sdl : `${sdl}\n\n${definition}`;
  } catch {
    return sdl;
  }
}

/** An input type of a schema. */
export interface InputObjectType {
  readonly name: string;
  /** The definition and the extensions. */
  readonly nodes: readonly InputObjectNode[];
  readonly isOneOf: boolean;
}

type InputObjectNode = Extract<
  DocumentNode['definitions'][number],
  { readonly kind: Kind.INPUT_OBJECT_TYPE_DEFINITION | Kind.INPUT_OBJECT_TYPE_EXTENSION }
>;

export function readInputObjects(document: DocumentNode): readonly InputObjectType[] {
  const nodesByName = Map.groupBy(inputObjectNodesOf(document), ({ name }) => name.value);
  return Array.from(nodesByName, ([name, nodes]) => ({
    name,
    nodes,
    isOneOf: nodes.some((node) => applicationsOf(node).length > 0),
  }));
}

function inputObjectNodesOf({ definitions }: DocumentNode): readonly InputObjectNode[] {
  return definitions.filter(
    (node) =>
      node.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION || node.kind === Kind.INPUT_OBJECT_TYPE_EXTENSION,
  );
}

function applicationsOf({ directives = [] }: InputObjectNode): readonly ConstDirectiveNode[] {
  return directives.filter(({ name }) => name.value === 'oneOf');
}

/** One error for each field of a `@oneOf` type that the GraphQL specification does not allow. */
export function findInvalidOneOfFields(document: DocumentNode): readonly GraphQLError[] {
  const oneOfTypes = readInputObjects(document).filter(({ isOneOf }) => isOneOf);
  return oneOfTypes.flatMap(({ name, nodes }) =>
    nodes.flatMap(({ fields = [] }) => fields.flatMap((field) => fieldErrorOf(name, field) ?? [])),
  );
}

function fieldErrorOf(typeName: string, field: InputValueDefinitionNode): GraphQLError | undefined {
  const coordinate = `${typeName}.${field.name.value}`;
  if (field.type.kind === Kind.NON_NULL_TYPE)
    return new GraphQLError(`OneOf input field "${coordinate}" must be nullable.`, { nodes: field });
  if (field.defaultValue === undefined) return undefined;
  return new GraphQLError(`OneOf input field "${coordinate}" cannot have a default value.`, { nodes: field });
}

/** Applies `@oneOf` to exactly these input types, as far as the SDL defines them. The rest of the text is unchanged. */
export function setOneOfTypes(sdl: string, types: ReadonlySet<string>): string {
  const document = parse(sdl);
  let text = '';
  let end = 0;
  const replace = (from: number, to: number, replacement: string): void => {
    text += sdl.slice(end, from) + replacement;
    end = to;
  };
  for (const node of inputObjectNodesOf(document)) {
    const applications = applicationsOf(node);
    if (!types.has(node.name.value)) {
      for (const { loc } of applications)
        if (loc !== undefined) replace(loc.startToken.prev?.end ?? loc.start, loc.end, '');
    } else if (applications.length === 0 && node.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
      const last = node.directives?.at(-1);
      const { loc } = last ?? node.name;
      if (loc !== undefined) replace(loc.end, loc.end, last === undefined ? ' @oneOf' : '\n  @oneOf');
    }
  }
  text += sdl.slice(end);
  return types.size === 0 || isOneOfDefined(document) ? text : `${text}\n\n${definition}`;
}

function isOneOfDefined({ definitions }: DocumentNode): boolean {
  return definitions.some((node) => node.kind === Kind.DIRECTIVE_DEFINITION && node.name.value === 'oneOf');
}

const definition = 'directive @oneOf on INPUT_OBJECT';
